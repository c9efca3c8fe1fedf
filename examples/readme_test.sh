#!/usr/bin/env bash
# The README's first program is examples/first_program.cc, to the letter, and prints what it says.
#
#   readme_test.sh <README.md> <first_program.cc> <first_program binary>
set -euo pipefail

# The first block that is marked as C++.
awk '/^```cpp$/ { inside = 1; next } /^```$/ && inside { exit } inside' "$1" |
  diff - "$2" || { echo "FAILED: README.md does not show $2 as it is"; exit 1; }
output=$("./$3")
[[ $output == 'Hello Kafka !' ]] || { echo "FAILED: the first program printed: $output"; exit 1; }
