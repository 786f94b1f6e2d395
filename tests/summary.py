#!/usr/bin/python3
"""Add up what the runners said: `N passed, M failed, K skipped`.

Usage: summary.py BUILD [NAME=EXIT_STATUS...]
A runner that left no report has failed.
"""
import json
import pathlib
import sys
import xml.etree.ElementTree as xml

MESON = {"OK": 0, "EXPECTEDFAIL": 0, "SKIP": 2}  # everything else: 1
REPORTS = ["layers.xml", "mount.xml", "campaigns.xml"]


def meson(path):
    count = [0, 0, 0]
    if not path.exists():
        return [0, 1, 0]
    for line in path.read_text().splitlines():
        count[MESON.get(json.loads(line)["result"], 1)] += 1
    return count


def junit(path):
    try:
        suite = xml.parse(path).getroot().find("testsuite")
    except (OSError, xml.ParseError):
        return [0, 1, 0]
    total, failed, errors, skipped = (
        int(suite.get(key)) for key in ("tests", "failures", "errors",
                                        "skipped"))
    failed += errors
    return [max(0, total - failed - skipped), failed, skipped]


def add_up(build, statuses=()):
    counts = [meson(build / "meson-logs/testlog.json")]
    counts += [junit(build / name) for name in REPORTS]
    for status in statuses:
        code = status.rpartition("=")[2]
        counts.append([1, 0, 0] if code == "0" else [0, 1, 0])
    return [sum(column) for column in zip(*counts)]


def main():
    passed, failed, skipped = add_up(pathlib.Path(sys.argv[1]), sys.argv[2:])
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
