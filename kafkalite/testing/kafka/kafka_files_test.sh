#!/usr/bin/env bash
# Apache Kafka's own code reads our files, and ours reads Kafka's. On demand: it needs a JDK (11 or
# later), Maven, and for its first run the network.
#
#   ./bazelw test --test_env=HOME //kafkalite/testing/kafka:kafka_files_test
#
# KAFKA_JARS names a folder with the jars of pom.xml, if they are there already.
set -euo pipefail

here=kafkalite/testing/kafka
main=$PWD/$here/kafka_files_main
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
records=2000

jars=${KAFKA_JARS:-$work/jars}
if [[ ! -d $jars ]]; then
  cp -L "$here/pom.xml" "$work"
  mvn -q -B -f "$work/pom.xml" dependency:copy-dependencies -DoutputDirectory="$jars"
fi
kafka() {
  java -cp "$jars/*" "$here/KafkaFiles.java" "$@" 2>"$work/errors" || {
    cat "$work/errors" >&2
    return 1
  }
}

echo "=== Kafka reads what kafkalite wrote"
"$main" write "$work/ours" "$records"
kafka read "$work/ours/broker-1" "$records"
# Kafka's broker has had it; ours goes on.
"$main" read "$work/ours/broker-1" "$records"

echo "=== kafkalite reads what Kafka wrote"
mkdir "$work/theirs"
kafka write "$work/theirs" "$records"
"$main" read "$work/theirs" "$records"
kafka read "$work/theirs" "$records"
