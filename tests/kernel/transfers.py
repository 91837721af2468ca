"""Transfers of many kinds, drawn from a seed, and what may be said of how each ended."""

import dataclasses
import itertools
import math

from lab import CLIENT, GATEWAY, file_digest, uploaded_digest

KIB, MIB = 1 << 10, 1 << 20
_names = itertools.count()


@dataclasses.dataclass(frozen=True)
class Verdict:
    """`whole`: every byte arrived, then the end. `ended`: it broke, and whoever was to get the rest could tell.
    `lost`: all arrived, and the client's kernel did not hand them out. `wrong`: other bytes, or an end that looked
    clean and was none."""

    kind: str
    text: str
    bytes: int = 0


def _size(rng, most):
    """From 1 byte on, each power of two as likely as the next."""
    return int(math.exp(rng.uniform(0, math.log(most))))


def _download(rng):
    return "download", {"bytes": _size(rng, 4 * MIB)}


def _slow_reader(rng):
    return "download", {"bytes": _size(rng, MIB), "slow": MIB // 4}


def _upload(rng):
    return "upload", {"bytes": _size(rng, MIB), "name": f"upload-{next(_names)}"}


def _half_close(rng):
    return "pledge", {"bytes": _size(rng, MIB)}


def _broken_off(rng):
    size = _size(rng, MIB) + 1
    return "pledge", {"bytes": size, "break_off": rng.randrange(1, size)}


def _echo(rng):
    return "echo", {"bytes": _size(rng, MIB)}


def _burst(rng):
    return "many", {"bytes": _size(rng, 4 * KIB), "count": 20}


def _broken_by_server(_):
    return "talk", {"bytes": 100 * KIB, "service": "abort"}


# Those that end whole where nothing disturbs them; the others end as they must.
WHOLE = {"download": _download, "slow reader": _slow_reader, "upload": _upload, "half close": _half_close, "echo": _echo,
         "burst": _burst}
BROKEN = {"broken off": _broken_off, "broken by server": _broken_by_server}
KINDS = WHOLE | BROKEN

VISIBLE = ("reset", "refused", "timeout", "broken_off", "OSError")


@dataclasses.dataclass(frozen=True)
class Task:
    kind: str
    command: str
    options: dict

    def __str__(self):
        return f"{self.kind} ({self.command} {' '.join(f'{key}={value}' for key, value in self.options.items())})"

    def run(self, lab, **options):
        """Carries it out and judges it. LabError when the client could not be run."""
        return self.judge(lab, lab.client(self.command, **(self.options | options)))

    def judge(self, lab, got):
        outcomes = set(got.get("outcomes", [got["outcome"]]))
        text = ", ".join(sorted(outcomes))
        if outcomes == {"done"}:
            return Verdict("whole" if self._equal(lab, got) else "wrong", "SHA-256 differs", got["bytes"])
        for kind, allowed in (("ended", {"done", *VISIBLE}), ("lost", {"done", *VISIBLE, "lost_by_client"})):
            if outcomes <= allowed:
                return Verdict(kind, text, got["bytes"])
        return Verdict("wrong", f"{text} after {got['bytes']} bytes", got["bytes"])

    def _equal(self, lab, got):
        """Where the client cannot know it itself: echo and pledge compare what came back."""
        if self.command == "download":
            return got["sha256"] == file_digest(lab, self.options["bytes"])
        if self.command == "upload":
            return got["sha256"] == uploaded_digest(lab, self.options["name"])
        return True


def draw(rng, kinds=tuple(KINDS), proto=None, family=None):
    """One transfer; what is not asked for is drawn."""
    kind = rng.choice(kinds)
    command, options = KINDS[kind](rng)
    family = family or rng.choice((4, 6))
    proto = proto or rng.choice(("mptcp", "mptcp", "tcp"))
    options |= {"to": GATEWAY[family], "proto": proto, "source": CLIENT[rng.choice("aab"), family]}
    return Task(kind, command, options)
