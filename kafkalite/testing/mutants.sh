#!/bin/bash
# Compiles each wrong rule of replication/mutants.h in and demands that the swarm finds it, or, where
# it takes a schedule that the swarm does not come by, a test of the replica alone. On demand; takes
# some minutes. The build without a mutant must find nothing.
#
#   kafkalite/testing/mutants.sh [seeds]

set -u
cd "$(dirname "$0")/../.."
seeds=${1:-2000}
output=$(mktemp)
trap 'rm -f "$output"' EXIT
swarm=bazel-bin/kafkalite/testing/swarm
failed=0

run() {  # flags...
  ./bazelw build "$@" //kafkalite/testing:swarm >/dev/null 2>&1 || { echo "does not build: $*"; exit 1; }
  "$swarm" --seeds "$seeds" --no-shrink >"$output" 2>&1
}

for mutant in $(grep -o 'ifdef KAFKALITE_MUTANT_[A-Z_]*' kafkalite/replication/mutants.h | cut -d' ' -f2); do
  if run "--copt=-D$mutant"; then
    tests=$(./bazelw test "--copt=-D$mutant" //kafkalite/replication/... 2>/dev/null |
      grep -o '//[a-z/]*:[a-z_]* *FAILED in' | sed 's/ *FAILED in//' | sort -u | tr '\n' ' ')
    if [ -n "$tests" ]; then
      echo "caught    $mutant: $tests"
    else
      echo "SURVIVED  $mutant"
      failed=1
    fi
  elif grep -q '^seed ' "$output"; then
    echo "caught    $mutant: $(grep -m1 '^seed ' "$output")"
  else
    echo "BROKEN    $mutant: the swarm ended without a verdict: $(tail -1 "$output")"
    failed=1
  fi
done
if run; then
  echo "the right rules: no violation in $seeds seeds"
else
  echo "FALSE ALARM with the right rules"
  failed=1
fi
exit $failed
