// File: random.h
//
// A small seeded generator (splitmix64): the same seed gives the same numbers on every machine.
// Not for secrets. Thread safety: none; give each owner its own, by Fork().

#ifndef KAFKALITE_BASE_RANDOM_H_
#define KAFKALITE_BASE_RANDOM_H_

#include <cstdint>

namespace kafkalite::base {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  // In [0, bound). REQUIRES: bound > 0. The bias is below bound / 2^64.
  uint64_t Below(uint64_t bound) { return Next() % bound; }
  // In [low, high].
  int64_t Between(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(Below(static_cast<uint64_t>(high - low) + 1));
  }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }

  // A generator whose numbers do not depend on how often this one is asked afterwards.
  Random Fork() { return Random(Next()); }

 private:
  uint64_t state_;
};

}  // namespace kafkalite::base

#endif  // KAFKALITE_BASE_RANDOM_H_
