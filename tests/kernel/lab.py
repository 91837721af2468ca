"""The lab of scripts/lab as a Python object, used by the tests, the demo and the benchmark."""

import collections
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TRAFFIC = ROOT / "tests/kernel/traffic.py"
GATEWAY = {4: "198.18.0.10", 6: "2001:db8::10"}
CLIENT = {("a", 4): "198.18.1.2", ("a", 6): "2001:db8:1::2", ("b", 4): "198.18.2.2", ("b", 6): "2001:db8:2::2"}


class LabError(RuntimeError):
    """A lab command failed; the text is what it said."""


class Transfer:
    """A client command under way. Use as a context manager, so that it never outlives its test."""

    def __init__(self, argv):
        self._process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._last = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._process.stdout.close()
        self._process.stderr.close()

    def _next(self):
        line = self._process.stdout.readline()
        if not line:
            raise LabError(f"client ended without a result: {self._process.stderr.read()}")
        self._last = json.loads(line)

    def until(self, count):
        """Waits until `count` bytes have moved. Raises LabError if the transfer ended before."""
        while self._last.get("bytes", 0) < count:
            self._next()
            if "outcome" in self._last:
                raise LabError(f"the transfer ended before {count} bytes: {self._last}")

    def progress(self):
        """Yields the bytes moved so far at every report, until the transfer ends."""
        while "outcome" not in self._last:
            self._next()
            if "outcome" not in self._last:
                yield self._last["bytes"]

    def result(self):
        while "outcome" not in self._last:
            self._next()
        return self._last


class Lab:
    """One lab; a context manager that takes it down again whatever happens."""

    def __init__(self, name, **options):
        self.name = name
        self.options = options
        self.state = pathlib.Path("/run/braid-lab") / name
        self._environment = os.environ | {"BRAID_LAB": name}

    def __enter__(self):
        try:
            self.command("up", *self._flags(self.options))
        except BaseException:  # Ctrl-C included
            self._down()
            raise
        return self

    def __exit__(self, *_):
        self._down()

    def _down(self):
        """Takes everything down; an impatient second Ctrl-C must not leave half of it."""
        before = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            self.command("down", check=False)
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @staticmethod
    def _flags(options):
        return [word for key, value in options.items() for word in (f"--{key.replace('_', '-')}", str(value))]

    def command(self, *words, check=True):
        """scripts/lab WORDS…; returns what it printed."""
        # A session of its own: a terminal's Ctrl-C reaches us, and we end the lab in order.
        done = subprocess.run([ROOT / "scripts/lab", *words], env=self._environment, text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        if check and done.returncode:
            raise LabError(f"lab {' '.join(words)} failed ({done.returncode}): {done.stderr}")
        return done.stdout

    def gateway(self, **options):
        """Replaces the gateway; options as of `lab gateway`."""
        self.command("gateway", *self._flags(self.options | options))

    @property
    def is_braid(self):
        return (self.state / "gateway").read_text().strip() == "braid"

    def gateway_alive(self):
        return "gateway has ended" not in self.command("status")

    def pid(self, process):
        """PID of one of the lab's processes: gateway, nginx or traffic."""
        return int((self.state / "pids" / process).read_text().split()[0])

    def gateway_log(self):
        return (self.state / "log/gateway").read_text(errors="replace")

    def argv(self, host, *words):
        """The command line that runs WORDS on a host."""
        return ["ip", "netns", "exec", f"{self.name}-{host}", *map(str, words)]

    def on(self, host, *words):
        return subprocess.run(self.argv(host, *words), text=True, check=True, stdout=subprocess.PIPE).stdout

    def start(self, command, prefix=(), **options):
        """Starts a client command of traffic.py; `prefix` goes before it (as taskset)."""
        return Transfer(self.argv("client", *prefix, sys.executable, TRAFFIC, command, *self._flags(options)))

    def client(self, command, **options):
        with self.start(command, **options) as transfer:
            return transfer.result()

    def mptcp_counters(self):
        """The client kernel's MPTcpExt counters."""
        lines = [line.split() for line in self.on("client", "cat", "/proc/net/netstat").splitlines()
                 if line.startswith("MPTcpExt:")]
        return collections.Counter(dict(zip(lines[0][1:], map(int, lines[1][1:]))))

    def received_on(self, link):
        """Bytes the client has received on access link a or b."""
        return int(self.on("client", "cat", f"/sys/class/net/{link}/statistics/rx_bytes"))

    def metrics(self):
        """Braid's metrics: {(name, frozenset of (label, value)): number}."""
        script = "import urllib.request as u; print(u.urlopen('http://127.0.0.1:9464/metrics', timeout=5).read().decode())"
        return parse_metrics(self.on("gw", sys.executable, "-c", script))


def file_digest(lab, size):
    """SHA-256 of the first `size` bytes of the server's file."""
    with open(lab.state / "www/file", "rb") as file:
        return hashlib.sha256(file.read(size)).hexdigest()


def uploaded_digest(lab, name):
    """SHA-256 of an uploaded file, which is removed."""
    path = lab.state / "www/upload" / name
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    path.unlink()
    return digest


def parse_metrics(text):
    samples = {}
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        head, _, value = line.rpartition(" ")
        name, _, labels = head.partition("{")
        pairs = frozenset(tuple(pair.split("=", 1)) for pair in labels.rstrip("}").replace('"', "").split(",") if pair)
        samples[name, pairs] = float(value)
    return samples


def metric(samples, name, **labels):
    """Sum of the samples of a family that carry the given labels; KeyError when there is none."""
    found = [value for (family, pairs), value in samples.items() if family == name and labels.items() <= set(pairs)]
    if not found:
        raise KeyError(f"no metric {name} with {labels}")
    return sum(found)
