#include "kafkalite/base/buffer.h"

#include <cstring>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace kafkalite::base {
namespace {

TEST(BufferPoolTest, CapacityIsAPowerOfTwoOfAtLeast256) {
  const Ref<BufferPool> pool = BufferPool::Create(0);
  EXPECT_EQ(pool->Allocate(0)->capacity(), 256u);
  EXPECT_EQ(pool->Allocate(1)->capacity(), 256u);
  EXPECT_EQ(pool->Allocate(256)->capacity(), 256u);
  EXPECT_EQ(pool->Allocate(257)->capacity(), 512u);
  EXPECT_EQ(pool->Allocate(16384)->capacity(), 16384u);
  EXPECT_EQ(pool->Allocate(16385)->capacity(), 32768u);
  EXPECT_EQ(pool->Allocate(5 << 20)->capacity(), size_t{8} << 20);
}

TEST(BufferPoolTest, EveryByteOfTheCapacityMayBeWritten) {
  const Ref<BufferPool> pool = BufferPool::Create(1 << 20);
  for (const size_t size : {size_t{1}, size_t{300}, size_t{70000}}) {
    const Ref<Buffer> buffer = pool->Allocate(size);
    std::memset(buffer->data(), 0x5a, buffer->capacity());
    EXPECT_EQ(buffer->data()[buffer->capacity() - 1], 0x5a);
  }
}

TEST(BufferPoolTest, TheSameMemoryIsUsedAgain) {
  const Ref<BufferPool> pool = BufferPool::Create(1 << 20);
  const char* first;
  {
    const Ref<Buffer> buffer = pool->Allocate(1000);
    first = buffer->data();
  }
  const Ref<Buffer> smaller = pool->Allocate(100);  // of another size
  EXPECT_NE(smaller->data(), first);
  const Ref<Buffer> again = pool->Allocate(800);
  EXPECT_EQ(again->data(), first);
  EXPECT_EQ(again->log_references().load(), 0u);
}

TEST(BufferPoolTest, AccountsForWhatIsInUseAndWhatIsCached) {
  const Ref<BufferPool> pool = BufferPool::Create(1 << 20);
  {
    const Ref<Buffer> a = pool->Allocate(1000);
    const Ref<Buffer> b = pool->Allocate(5000);
    const Ref<Buffer> same = a;
    EXPECT_EQ(pool->in_use_bytes(), 1024u + 8192u);
    EXPECT_EQ(pool->cached_bytes(), 0u);
  }
  EXPECT_EQ(pool->in_use_bytes(), 0u);
  EXPECT_EQ(pool->cached_bytes(), 1024u + 8192u);
  const Ref<Buffer> c = pool->Allocate(1000);
  EXPECT_EQ(pool->in_use_bytes(), 1024u);
  EXPECT_EQ(pool->cached_bytes(), 8192u);
}

TEST(BufferPoolTest, KeepsNoMoreThanItsLimit) {
  const Ref<BufferPool> pool = BufferPool::Create(4096);
  std::vector<Ref<Buffer>> buffers;
  for (int i = 0; i < 10; ++i) buffers.push_back(pool->Allocate(1024));
  buffers.clear();
  EXPECT_EQ(pool->cached_bytes(), 4096u);
  pool->Allocate(8192);
  EXPECT_EQ(pool->cached_bytes(), 4096u);
  EXPECT_EQ(pool->in_use_bytes(), 0u);

  const Ref<BufferPool> none = BufferPool::Create(0);
  none->Allocate(1);
  EXPECT_EQ(none->cached_bytes(), 0u);
}

TEST(BufferPoolTest, BuffersMayOutliveEveryOtherReferenceToTheirPool) {
  Ref<BufferPool> pool = BufferPool::Create(1 << 20);
  Ref<Buffer> buffer = pool->Allocate(1000);
  Ref<Buffer> other = pool->Allocate(1000);
  pool->Allocate(500);  // rests in the pool
  pool = {};
  std::memset(buffer->data(), 1, buffer->capacity());
  buffer = {};
  std::memset(other->data(), 2, other->capacity());
}

TEST(SliceTest, SharesTheBuffer) {
  const Ref<BufferPool> pool = BufferPool::Create(1 << 20);
  Ref<Buffer> buffer = pool->Allocate(100);
  std::memcpy(buffer->data(), "0123456789", 10);
  const char* const data = buffer->data();
  Slice slice(buffer, 2, 5);
  buffer = {};
  EXPECT_EQ(slice.view(), "23456");
  EXPECT_EQ(slice.data(), data + 2);
  EXPECT_EQ(slice.size(), 5u);
  Slice copy = slice;
  slice = Slice();
  EXPECT_EQ(slice.view(), "");
  EXPECT_FALSE(slice.buffer());
  EXPECT_EQ(copy.view(), "23456");
  EXPECT_EQ(pool->in_use_bytes(), 256u);
  copy = Slice();
  EXPECT_EQ(pool->in_use_bytes(), 0u);
}

TEST(BufferPoolTest, ManyThreadsTakeAndReturnAndNobodySharesABufferUnasked) {
  const Ref<BufferPool> pool = BufferPool::Create(64 << 10);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&pool, t] {
      std::vector<Ref<Buffer>> kept;
      for (int i = 0; i < 4000; ++i) {
        Ref<Buffer> buffer = pool->Allocate(static_cast<size_t>(1) << (i % 6 + 7));
        std::memset(buffer->data(), t, 64);
        kept.push_back(std::move(buffer));
        if (kept.size() < 8) continue;
        for (const Ref<Buffer>& held : kept) {
          ASSERT_EQ(held->data()[0], t);
          ASSERT_EQ(held->data()[63], t);
        }
        kept.erase(kept.begin(), kept.begin() + 1 + i % 7);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(pool->in_use_bytes(), 0u);
}

TEST(BufferPoolTest, ABufferMayBeReturnedByAnotherThread) {
  const Ref<BufferPool> pool = BufferPool::Create(64 << 10);
  Ref<Buffer> buffer = pool->Allocate(1000);
  std::memset(buffer->data(), 1, 1000);
  std::thread([mine = std::move(buffer)]() mutable {
    EXPECT_EQ(mine->data()[999], 1);
    mine = {};
  }).join();
  EXPECT_EQ(pool->in_use_bytes(), 0u);
  EXPECT_EQ(pool->cached_bytes(), 1024u);
}

}  // namespace
}  // namespace kafkalite::base
