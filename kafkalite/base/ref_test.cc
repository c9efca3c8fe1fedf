#include "kafkalite/base/ref.h"

#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace kafkalite::base {
namespace {

class Counted : public RefCounted<Counted> {
 public:
  explicit Counted(int* destroyed) : destroyed_(destroyed) {}
  ~Counted() { ++*destroyed_; }

 private:
  int* const destroyed_;
};

TEST(RefTest, TheLastReferenceDestroys) {
  int destroyed = 0;
  {
    Ref<Counted> a = MakeRef<Counted>(&destroyed);
    Ref<Counted> b = a;
    EXPECT_EQ(a.get(), b.get());
    a = {};
    EXPECT_FALSE(a);
    EXPECT_EQ(destroyed, 0);
    Ref<Counted> c = std::move(b);
    EXPECT_FALSE(b);  // NOLINT: moved-from references are empty
    EXPECT_TRUE(c);
    c = *&c;  // itself
    EXPECT_EQ(destroyed, 0);
  }
  EXPECT_EQ(destroyed, 1);
}

TEST(RefTest, AssigningDropsWhatWasThere) {
  int first = 0, second = 0;
  Ref<Counted> ref = MakeRef<Counted>(&first);
  ref = MakeRef<Counted>(&second);
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 0);
}

TEST(RefTest, ReferencesMayBeTakenAndDroppedInOneStep) {
  int destroyed = 0;
  auto* object = new Counted(&destroyed);
  object->AddRef(10);
  object->DropRef(3);
  object->DropRef(6);
  EXPECT_EQ(destroyed, 0);
  object->DropRef();
  EXPECT_EQ(destroyed, 1);
}

class Special : public RefCounted<Special> {
 public:
  explicit Special(bool* hooked) : hooked_(hooked) {}
  static void Destroy(Special* object) {
    *object->hooked_ = true;
    delete object;
  }

 private:
  bool* const hooked_;
};

TEST(RefTest, AClassMayDestroyItselfInAWayOfItsOwn) {
  bool hooked = false;
  MakeRef<Special>(&hooked);
  EXPECT_TRUE(hooked);
}

TEST(RefTest, ThreadsShareOneObject) {
  int destroyed = 0;
  Ref<Counted> ref = MakeRef<Counted>(&destroyed);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([ref] {
      for (int i = 0; i < 10000; ++i) Ref<Counted> copy = ref;
    });
  }
  ref = {};
  for (std::thread& thread : threads) thread.join();
  threads.clear();
  EXPECT_EQ(destroyed, 1);
}

}  // namespace
}  // namespace kafkalite::base
