#!/usr/bin/env bash
# Runs the quick start as a user does, and checks what it prints and how it ends.
#
#   quickstart_test.sh <quickstart binary>
set -uo pipefail

quickstart=$PWD/$1
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
unset BUILD_WORKING_DIRECTORY
failures=0

# run <exit code> <argument ...>: leaves the output in $scratch/out and $scratch/err.
run() {
  local expected=$1 actual=0
  shift
  case="quickstart $*"
  "$quickstart" "$@" >"$scratch/out" 2>"$scratch/err" || actual=$?
  [[ $actual -eq $expected ]] || fail "exit code $actual, expected $expected"
}

fail() {
  failures=$((failures + 1))
  echo "FAILED: $case: $1"
  sed 's/^/  out: /' "$scratch/out"
  sed 's/^/  err: /' "$scratch/err"
}

# These take a fixed string that some line has in it, or a whole line.
out() { grep -qF -- "$1" "$scratch/out" || fail "output lacks: $1"; }
out_line() { grep -qxF -- "$1" "$scratch/out" || fail "output lacks the line: $1"; }
no_out() { ! grep -qF -- "$1" "$scratch/out" || fail "output has: $1"; }
err() { grep -qF -- "$1" "$scratch/err" || fail "errors lack: $1"; }
no_err() { [[ ! -s $scratch/err ]] || fail "errors are not empty"; }
silent() { [[ ! -s $scratch/out ]] || fail "output is not empty"; }
verified() { out "Read everything back: $1 records"; }

# The tutorial.
run 0 </dev/null
no_err
out_line 'Started brokers 1, 2, 3.'
out_line 'Created topic "first-test".'
out_line $'Topic:first-test\tPartitionCount:3\tReplicationFactor:3\tConfigs:'
out_line $'\tTopic: first-test\tPartition: 0\tLeader: 1\tReplicas: 1,2,3\tIsr: 1,2,3'
out_line $'\tTopic: first-test\tPartition: 1\tLeader: 2\tReplicas: 2,3,1\tIsr: 2,3,1'
out_line $'\tTopic: first-test\tPartition: 2\tLeader: 3\tReplicas: 3,1,2\tIsr: 3,1,2'
out_line 'Hello Kafka !'
out 'Half-way: killed broker 1, the leader of partition 0.'
out 'Restarted broker 1, it has caught up.'
verified 5001
out 'Produced 5000 records in '
out 'Consumed 5001 records in '
# Nothing that only a terminal understands.
no_out $'\r'
no_out $'\033'

# Repeated, empty and binary lines, and no line end at the end.
printf 'a\n\n\na\r\n\0\377\200\nno end' >"$scratch/odd"
run 0 "$scratch/odd"
verified 7
run 0 "$scratch/odd" "$scratch/odd"
verified 13
run 0 - <"$scratch/odd"
verified 7
: >"$scratch/empty"
run 0 "$scratch/empty"
verified 1
out 'Produced 0 records'

# More than one batch, and lines that need one of their own.
{
  seq 1 200000
  head -c 500000 /dev/zero | tr '\0' x
  echo
  seq 1 1000
} >"$scratch/many"
run 0 --partitions 7 "$scratch/many"
verified 201002

# Names are relative to where the user is, also under `bazel run`.
case="relative names"
(cd "$scratch" && "$quickstart" odd) >"$scratch/out" 2>"$scratch/err" || fail "exit code $?"
verified 7
(cd / && BUILD_WORKING_DIRECTORY=$scratch "$quickstart" odd) \
  >"$scratch/out" 2>"$scratch/err" || fail "exit code $?"
verified 7

# Other shapes of cluster.
run 0 --brokers=5 --partitions=4 --replication-factor=2
out_line 'Started brokers 1, 2, 3, 4, 5.'
out $'PartitionCount:4\tReplicationFactor:2'
out 'killed broker'
verified 5001
run 0 --replication-factor 1
out 'Killing no broker: with one replica'
no_out 'killed broker'
verified 5001
run 0 --brokers 1
out_line 'Started broker 1.'
out 'Killing no broker: with one replica'
verified 5001
run 0 --brokers 2
out $'ReplicationFactor:2'
verified 5001
run 1 --replication-factor 4
err 'Replication factor: 4 larger than available brokers: 3.'
no_out 'Created topic'

# A cluster that is there again. One of the first run's brokers is killed and restarted on the way.
data=$scratch/data
run 0 --data-dir "$data" "$scratch/odd"
out 'Created topic'
out 'Restarted broker'
verified 7
[[ -f $data/broker-1/first-test-0/00000000000000000000.log ]] || fail "no segment in Kafka's format"
run 0 --storage file --data-dir="$data" "$scratch/odd"
out 'Found topic'
out 'Read 7 records of earlier runs, 1 of them greetings.'
verified 7
run 0 --data-dir "$data" "$scratch/empty"
out 'Read 14 records of earlier runs, 2 of them greetings.'
verified 1
run 1 --data-dir "$data" --brokers 1
err 'has a replica on broker 3: start as many brokers as the run that made the topic'
run 0 --storage memory
out 'Created topic'
run 1 --data-dir "$scratch/odd"
err "$scratch/odd"
run 2 --storage file
err '--storage file needs --data-dir'
run 2 --storage memory --data-dir "$data"
err "keeps nothing in --data-dir $data"
run 2 --storage disk
err '"disk" is neither "memory" nor "file"'
run 2 --data-dir=
err '--data-dir needs a value'

# A line that is too large, in the second file.
{
  echo short
  head -c 2000000 /dev/zero | tr '\0' x
  echo
} >"$scratch/large"
run 1 "$scratch/odd" "$scratch/large"
err "$scratch/large:2: cannot send this line of 2000000 bytes"
no_out 'Read everything back'

# Files that cannot be read: said before anything happens.
run 1 "$scratch/odd" "$scratch/missing"
err "cannot read $scratch/missing: No such file or directory"
silent
run 1 "$scratch"
err "cannot read $scratch: Is a directory"
silent

# Command lines that make no sense.
for arguments in '--brokers 0' '--brokers=x' '--brokers=' '--partitions -1' '--partitions 3x' \
  '--replication-factor 99999999999' '--replication-factor=1.5' '--partitions'; do
  # shellcheck disable=SC2086  # One word per argument.
  run 2 $arguments
  err "${arguments%%[= ]*}"
  value=${arguments#*[= ]}
  [[ $value == "$arguments" ]] || err "$value"
  silent
done
run 2 --replicas 3
err 'unknown flag --replicas'
run 2 -x
err 'unknown flag -x'
run 0 --help
out '--replication-factor N'
no_err
run 0 -- "$scratch/odd"
verified 7

[[ $failures -eq 0 ]] && echo "All passed."
exit $((failures > 0))
