"""coverage.py SUMMARY: lines reached per library, of gcovr's JSON summary; exit status 1 when one has too few."""

import collections
import json
import pathlib
import sys

WANTED = {"wire": 90, "tcp": 90, "mptcp": 90, "relay": 90}  # percent


def main():
    summary = json.loads(pathlib.Path(sys.argv[1]).read_text())
    lines = collections.defaultdict(lambda: [0, 0])
    for file in summary["files"]:
        library = pathlib.PurePath(file["filename"]).parts[1]
        lines[library][0] += file["line_covered"]
        lines[library][1] += file["line_total"]
    missing = sorted(WANTED.keys() - lines.keys())
    for library, (reached, all_lines) in sorted(lines.items()):
        percent = 100 * reached / all_lines
        short = percent < WANTED.get(library, 0)
        missing += [library] if short else []
        print(f"{library:8} {percent:5.1f} %  {reached} of {all_lines} lines{'  TOO FEW' if short else ''}")
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
