// File: ref.h
//
// A counted reference to an object that counts its own references: one word, one atomic
// operation per copy, no separate control block. T derives from RefCounted<T>.

#ifndef KAFKALITE_BASE_REF_H_
#define KAFKALITE_BASE_REF_H_

#include <atomic>
#include <cstdint>
#include <utility>

namespace kafkalite::base {

// Derived may define `static void Destroy(Derived*)` to go elsewhere than to `delete`.
template <class Derived>
class RefCounted {
 public:
  RefCounted() = default;
  RefCounted(const RefCounted&) = delete;
  RefCounted& operator=(const RefCounted&) = delete;

  // Several at once cost as much as one.
  void AddRef(uint32_t count = 1) const { refs_.fetch_add(count, std::memory_order_relaxed); }
  void DropRef(uint32_t count = 1) const {
    if (refs_.fetch_sub(count, std::memory_order_acq_rel) == count) {
      Derived::Destroy(const_cast<Derived*>(static_cast<const Derived*>(this)));
    }
  }
  static void Destroy(Derived* object) { delete object; }

 protected:
  ~RefCounted() = default;

 private:
  mutable std::atomic<uint32_t> refs_{0};
};

template <class T>
class Ref {
 public:
  Ref() = default;
  explicit Ref(T* object) : object_(object) {
    if (object_ != nullptr) object_->AddRef();
  }
  Ref(const Ref& other) : Ref(other.object_) {}
  Ref(Ref&& other) noexcept : object_(std::exchange(other.object_, nullptr)) {}
  Ref& operator=(Ref other) noexcept {
    std::swap(object_, other.object_);
    return *this;
  }
  ~Ref() {
    if (object_ != nullptr) object_->DropRef();
  }

  T* get() const { return object_; }
  T* operator->() const { return object_; }
  T& operator*() const { return *object_; }
  explicit operator bool() const { return object_ != nullptr; }

 private:
  T* object_ = nullptr;
};

template <class T, class... Args>
Ref<T> MakeRef(Args&&... args) {
  return Ref<T>(new T(std::forward<Args>(args)...));
}

}  // namespace kafkalite::base

#endif  // KAFKALITE_BASE_REF_H_
