"""count_results.py DIR: adds up the test reports under DIR and prints "N passed, M failed" as the last line.

DIR/<build>/ctest.xml     one entry per test program, from ctest
DIR/<build>/gtest/*.xml   GoogleTest's own reports of those programs, with one entry per test
DIR/kernel.xml            pytest's report
DIR/checks                lines "pass NAME" or "fail NAME"

A program that fails without naming a failed test (a crash, a leak report) counts as one failure. Exit status 1 if anything failed.
"""

import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def cases(path):
    """[(name, verdict)] of a JUnit-like report; verdict is pass, fail or skip."""
    found = []
    for case in ElementTree.parse(path).iter("testcase"):
        name = f"{case.get('classname') or ''}.{case.get('name')}"
        if case.find("failure") is not None or case.find("error") is not None:
            found.append((name, "fail"))
        elif case.find("skipped") is not None or case.get("status") in ("notrun", "disabled"):
            found.append((name, "skip"))
        else:
            found.append((name, "pass"))
    return found


def program_results(build):
    """Results of one build folder: the tests inside each program, or the program itself where it has no report."""
    found = []
    for name, verdict in cases(build / "ctest.xml") if (build / "ctest.xml").exists() else []:
        program = name.rpartition(".")[2]
        report = build / "gtest" / f"test_{program}.xml"
        inner = []
        if report.exists() and report.stat().st_size:
            inner = cases(report)
        found += [(f"{build.name}: {test}", result) for test, result in inner]
        if not inner or (verdict == "fail" and all(result != "fail" for _, result in inner)):
            found.append((f"{build.name}: {program}", verdict))
    return found


def main():
    root = pathlib.Path(sys.argv[1])
    found = []
    if (root / "checks").exists():
        for line in (root / "checks").read_text().splitlines():
            verdict, _, name = line.partition(" ")
            found.append((name, verdict))
    for build in sorted(path for path in root.iterdir() if path.is_dir()):
        found += program_results(build)
    if (root / "kernel.xml").exists():
        found += [(f"kernel: {name}", verdict) for name, verdict in cases(root / "kernel.xml")]
    count = {verdict: sum(1 for _, got in found if got == verdict) for verdict in ("pass", "fail", "skip")}
    for name, verdict in found:
        if verdict == "fail":
            print(f"failed: {name}")
    if count["skip"]:
        print(f"{count['skip']} skipped")
    print(f"{count['pass']} passed, {count['fail']} failed")
    return 1 if count["fail"] or not count["pass"] else 0


if __name__ == "__main__":
    sys.exit(main())
