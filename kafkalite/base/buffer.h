// File: buffer.h
//
// Buffers, shared by reference, and the pool to which they return. Page faults on fresh memory
// cost far more than copies to warm memory, so a buffer's memory is used again and again.
//
//   auto pool = base::BufferPool::Create(64 << 20);
//   base::Ref<base::Buffer> buffer = pool->Allocate(16384);
//   std::memcpy(buffer->data(), bytes, size);
//   base::Slice slice(buffer, 0, size);    // shares the buffer
//
// Thread safety: pool and references, any thread. The bytes: one writer until they are shared,
// immutable afterwards.
// Lifetime: buffers may outlive the last reference to their pool that is held elsewhere.

#ifndef KAFKALITE_BASE_BUFFER_H_
#define KAFKALITE_BASE_BUFFER_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "kafkalite/base/mutex.h"
#include "kafkalite/base/ref.h"

namespace kafkalite::base {

class BufferPool;

class Buffer : public RefCounted<Buffer> {
 public:
  char* data() { return reinterpret_cast<char*>(this + 1); }
  const char* data() const { return reinterpret_cast<const char*>(this + 1); }
  size_t capacity() const { return capacity_; }

  // How many logs keep this buffer; the first one pays for its memory, the last one stops paying.
  std::atomic<uint32_t>& log_references() { return log_references_; }

 private:
  friend class BufferPool;
  friend class RefCounted<Buffer>;
  Buffer(Ref<BufferPool> pool, size_t capacity) : pool_(std::move(pool)), capacity_(capacity) {}
  static void Destroy(Buffer* buffer);

  Ref<BufferPool> pool_;  // empty while the buffer rests in the pool
  const size_t capacity_;
  std::atomic<uint32_t> log_references_{0};
  Buffer* next_free_ = nullptr;
};

class BufferPool : public RefCounted<BufferPool> {
 public:
  // Keeps at most `cache_limit_bytes` of free buffers for their next use.
  static Ref<BufferPool> Create(size_t cache_limit_bytes);
  ~BufferPool();

  // A buffer of at least `capacity` bytes (powers of two, 256 at least). Its content is undefined.
  Ref<Buffer> Allocate(size_t capacity);

  // The capacity of all buffers handed out and not yet returned.
  size_t in_use_bytes() const { return in_use_bytes_.load(std::memory_order_relaxed); }
  size_t cached_bytes() const { return cached_bytes_.load(std::memory_order_relaxed); }

 private:
  friend class Buffer;
  static constexpr int kMinShift = 8;  // 256 bytes
  static constexpr int kClasses = 24;  // up to 2 GiB

  // Buffers of one size; a class of its own lock keeps big and small from meeting.
  struct SizeClass {
    Mutex mu;
    Buffer* free ABSL_GUARDED_BY(mu) = nullptr;
  };

  explicit BufferPool(size_t cache_limit_bytes) : cache_limit_bytes_(cache_limit_bytes) {}
  static int ClassOf(size_t capacity);
  void Return(Buffer* buffer);

  const size_t cache_limit_bytes_;
  std::atomic<size_t> in_use_bytes_{0};
  std::atomic<size_t> cached_bytes_{0};
  std::array<SizeClass, kClasses> classes_;
};

// A range of a buffer's bytes, keeping the buffer alive.
class Slice {
 public:
  Slice() = default;
  Slice(Ref<Buffer> buffer, size_t offset, size_t size)
      : buffer_(std::move(buffer)), data_(buffer_->data() + offset), size_(size) {}

  const char* data() const { return data_; }
  size_t size() const { return size_; }
  std::string_view view() const { return {data_, size_}; }
  const Ref<Buffer>& buffer() const { return buffer_; }

 private:
  Ref<Buffer> buffer_;
  const char* data_ = nullptr;
  size_t size_ = 0;
};

}  // namespace kafkalite::base

#endif  // KAFKALITE_BASE_BUFFER_H_
