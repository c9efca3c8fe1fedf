#!/usr/bin/env python3
"""Counts the test cases of one `bazel test`.

usage: count_tests.py EVENTS BAZEL_STATUS   prints: <passed> <failed> <skipped>

EVENTS is the file that --build_event_json_file wrote. It names the test.xml files of this run,
so results that an earlier run left in bazel-testlogs are never counted.
"""

import json
import sys
import urllib.parse
import xml.etree.ElementTree as ElementTree


def read_events(events_path):
    """Returns ([(status, path of test.xml or None)], targets that did not build).

    The list has one entry per test, shard and run: its last attempt."""
    attempts = {}
    unbuilt = set()
    with open(events_path, encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            target = event["id"].get("targetCompleted")
            if target and not event.get("completed", {}).get("success"):
                unbuilt.add(target["label"])
            key = event["id"].get("testResult")
            if key is None or "testResult" not in event:
                continue
            result = event["testResult"]
            xml = None
            for output in result.get("testActionOutput", []):
                if output["name"] == "test.xml":
                    xml = urllib.parse.unquote(urllib.parse.urlparse(output["uri"]).path)
            place = (key["label"], key.get("shard", 1), key.get("run", 1))
            attempt = key.get("attempt", 1)
            if place not in attempts or attempt >= attempts[place][0]:
                attempts[place] = (attempt, result["status"], xml)
    return [(status, xml) for _, status, xml in attempts.values()], unbuilt


def count_cases(xml_path):
    """Returns [passed, failed, skipped]; all 0 when the file is absent or cut short."""
    try:
        cases = list(ElementTree.parse(xml_path).iter("testcase"))
    except (OSError, TypeError, ElementTree.ParseError):
        return [0, 0, 0]
    counts = [0, 0, 0]
    for case in cases:
        if case.find("failure") is not None or case.find("error") is not None:
            counts[1] += 1
        elif case.find("skipped") is not None or case.get("status") == "notrun":
            counts[2] += 1
        else:
            counts[0] += 1
    return counts


def main():
    events_path, bazel_status = sys.argv[1], int(sys.argv[2])
    try:
        attempts, unbuilt = read_events(events_path)
    except (OSError, ValueError, KeyError):
        attempts, unbuilt = [], set()
    passed, failed, skipped = 0, len(unbuilt), 0
    for status, xml in attempts:
        counts = count_cases(xml)
        # A sanitizer report, a crash or a timeout can fail a test of which no case failed.
        if status not in ("PASSED", "FLAKY") and counts[1] == 0:
            counts[1] = 1
        passed += counts[0]
        failed += counts[1]
        skipped += counts[2]
    # Something else went wrong, such as a BUILD file that does not load.
    if bazel_status != 0 and failed == 0:
        failed = 1
    print(passed, failed, skipped)


if __name__ == "__main__":
    main()
