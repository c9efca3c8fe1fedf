#include "kafkalite/base/buffer.h"

#include <bit>
#include <cassert>
#include <new>

namespace kafkalite::base {

Ref<BufferPool> BufferPool::Create(size_t cache_limit_bytes) {
  return Ref<BufferPool>(new BufferPool(cache_limit_bytes));
}

BufferPool::~BufferPool() {
  for (SizeClass& size_class : classes_) {
    MutexLock lock(size_class.mu);
    while (Buffer* buffer = size_class.free) {
      size_class.free = buffer->next_free_;
      buffer->~Buffer();
      ::operator delete(buffer);
    }
  }
}

int BufferPool::ClassOf(size_t capacity) {
  const int shift = std::bit_width(capacity == 0 ? 0 : capacity - 1);
  return shift <= kMinShift ? 0 : shift - kMinShift;
}

Ref<Buffer> BufferPool::Allocate(size_t capacity) {
  const int index = ClassOf(capacity);
  assert(index < kClasses);
  const size_t rounded = size_t{1} << (index + kMinShift);
  in_use_bytes_.fetch_add(rounded, std::memory_order_relaxed);
  SizeClass& size_class = classes_[static_cast<size_t>(index)];
  {
    MutexLock lock(size_class.mu);
    if (Buffer* buffer = size_class.free) {
      size_class.free = buffer->next_free_;
      cached_bytes_.fetch_sub(rounded, std::memory_order_relaxed);
      buffer->pool_ = Ref<BufferPool>(this);
      return Ref<Buffer>(buffer);
    }
  }
  void* memory = ::operator new(sizeof(Buffer) + rounded);
  return Ref<Buffer>(new (memory) Buffer(Ref<BufferPool>(this), rounded));
}

void Buffer::Destroy(Buffer* buffer) {
  const Ref<BufferPool> pool = std::move(buffer->pool_);
  pool->Return(buffer);
}

void BufferPool::Return(Buffer* buffer) {
  const size_t capacity = buffer->capacity();
  in_use_bytes_.fetch_sub(capacity, std::memory_order_relaxed);
  if (cached_bytes_.load(std::memory_order_relaxed) + capacity > cache_limit_bytes_) {
    buffer->~Buffer();
    ::operator delete(buffer);
    return;
  }
  cached_bytes_.fetch_add(capacity, std::memory_order_relaxed);
  SizeClass& size_class = classes_[static_cast<size_t>(ClassOf(capacity))];
  MutexLock lock(size_class.mu);
  buffer->next_free_ = size_class.free;
  size_class.free = buffer;
}

}  // namespace kafkalite::base
