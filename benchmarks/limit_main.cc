// Prints what the machine allows, one line per loop and size: the median of five runs.
//
//   limit_main [seconds per run]

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "benchmarks/limit.h"

namespace kafkalite::benchmarks {
namespace {

using Loop = LoopRate (*)(size_t value_bytes, double seconds);

void Print(const char* name, Loop loop, size_t value_bytes, double seconds) {
  std::vector<LoopRate> rates;
  for (int i = 0; i < 5; ++i) rates.push_back(loop(value_bytes, seconds));
  std::sort(rates.begin(), rates.end(), [](const LoopRate& a, const LoopRate& b) {
    return a.records_per_second < b.records_per_second;
  });
  const LoopRate& median = rates[rates.size() / 2];
  std::printf("%-10s %5zu B  %7.2f M records/s  %6.2f GB/s  %7.2f ns per record\n", name,
              value_bytes, median.records_per_second / 1e6, median.bytes_per_second / 1e9,
              1e9 / median.records_per_second);
}

}  // namespace
}  // namespace kafkalite::benchmarks

int main(int argc, char** argv) {
  namespace benchmarks = kafkalite::benchmarks;
  const double seconds = argc > 1 ? std::atof(argv[1]) : 0.5;
  for (const size_t value_bytes : {100, 1024}) {
    benchmarks::Print("encode+crc", benchmarks::EncodeCrcLoop, value_bytes, seconds);
    benchmarks::Print("decode+sum", benchmarks::DecodeSumLoop, value_bytes, seconds);
  }
}
