"""What scripts/soak does and judges, once everything is built: see there."""

import argparse
import collections
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/kernel"))

import traffic  # noqa: E402
import transfers  # noqa: E402
from lab import Lab, LabError, metric  # noqa: E402
from weather import Weather  # noqa: E402

CLIENTS = 8  # transfers at a time
PATIENCE = 30  # seconds without a byte after which a client gives up
# Short, so that what a cut leaves behind is gone before the soak's end.
TIMEOUTS = "{ keepalive: 2s, hold: 20s, half_closed: 20s, user: 40s, idle: 2m, time_wait: 1s }"
CLEAR_WITHIN = 180  # seconds: after the last transfer all of these have passed, and the slowest link is empty
# Memory may grow by this after the warm-up, KiB: what the allocator keeps, and pages not yet touched.
MOST_GROWTH = 4096
WARM_UP = 0.25  # share of the time

# Gauges of what the data path holds: nothing at the start, and so at the end.
POOLS = ("braid_client_connections", "braid_tcp_connections", "braid_mptcp_sessions", "braid_mptcp_subflows",
         "braid_relay_buffered_bytes", "braid_worker_redirects", "braid_buffers_in_use")


class Soak:
    def __init__(self, lab, seconds, seed):
        self._lab, self._seed, self._seconds = lab, seed, seconds
        self._started = time.monotonic()
        self._lock = threading.Lock()
        self._ended = threading.Event()  # no more transfers are begun
        self._next_status = 10.0
        self._lost_pledges = 0
        self.verdicts = collections.Counter()
        self.bytes = 0
        self.failures = []
        self._daemon = lab.pid("gateway")
        self._rss = [(0, self._resident())]  # (seconds, KiB)

    def tell(self, text):
        with self._lock:
            print(f"{self._elapsed():7.1f} s  {text}", file=sys.stderr, flush=True)

    def fail(self, text):
        self.failures.append(text)
        self.tell(f"WRONG: {text}")

    def _elapsed(self):
        return time.monotonic() - self._started

    # --- load ---

    def _client(self, number):
        rng = random.Random(f"{self._seed} client {number}")
        while not self._ended.is_set():
            self._transfer(transfers.draw(rng))

    def _transfer(self, task):
        try:
            verdict = task.run(self._lab, patience=PATIENCE)
        except LabError as error:
            if not self._ended.is_set():
                self.fail(f"{task}: {error}")
            return None
        with self._lock:
            self.verdicts[verdict.kind] += 1
            self.bytes += verdict.bytes
            self._lost_pledges += verdict.kind == "lost" and task.command == "pledge"
        if verdict.kind == "wrong":
            self.fail(f"{task}: {verdict.text}")
        return verdict

    def pause(self, seconds):
        """Waits, watching; whether there is time left."""
        end = min(self._elapsed() + seconds, self._seconds)
        while (left := end - self._elapsed()) > 0:
            time.sleep(min(left, 1))
            self._watch()
        return self._elapsed() < self._seconds

    def _watch(self):
        self._rss.append((self._elapsed(), self._resident()))
        if self._elapsed() < self._next_status:
            return
        self._next_status += 10
        counts = ", ".join(f"{self.verdicts[kind]} {kind}" for kind in ("whole", "ended", "lost", "wrong"))
        self.tell(f"transfers: {counts}; {self.bytes / 1e6:.0f} MB; braidd has {self._rss[-1][1] / 1024:.1f} MiB")

    def _resident(self):
        try:
            status = pathlib.Path(f"/proc/{self._daemon}/status").read_text()
            return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:"))
        except (OSError, StopIteration):  # a process that has ended has no memory, or no status
            raise LabError("braidd has ended") from None

    def _pools(self):
        samples = self._lab.metrics()
        return {name: metric(samples, name) for name in POOLS}

    def run(self):
        # Else the client gives up MPTCP for an hour where its SYN with the option was lost.
        self._lab.on("client", "sysctl", "-qw", "net.mptcp.blackhole_timeout=0")
        weather = Weather(self._lab, self._seed, self.tell, self.pause)
        clients = [threading.Thread(target=self._client, args=(number,), daemon=True) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        try:
            weather.run()
        finally:
            self._ended.set()
        self.tell("time is up; the links are whole, and the transfers under way come to their ends")
        for client in clients:
            client.join()
        self._after_the_storm()
        self._judge()
        return self._figures(weather)

    # --- judgement ---

    def _after_the_storm(self):
        """Whatever was, now every kind of transfer ends as it must where nothing disturbs it."""
        rng = random.Random(f"{self._seed} calm")
        for kind in transfers.KINDS:
            for proto in ("mptcp", "tcp"):
                for family in (4, 6):
                    task = transfers.draw(rng, (kind,), proto, family)
                    verdict = self._transfer(task)
                    if verdict and verdict.kind != ("whole" if kind in transfers.WHOLE else "ended"):
                        self.fail(f"{task} after the storm: {verdict.kind}, {verdict.text}")

    def _judge(self):
        early_ends = (self._lab.state / "log/traffic").read_text(errors="replace").count(traffic.EARLY_END)
        if early_ends > self._lost_pledges:  # those that a client's kernel ended too early itself
            self.fail(f"the server saw {early_ends} ends that looked clean and were none")
        left = self._wait_for_pools()
        if left:
            self.fail(f"not given back after {CLEAR_WITHIN} s: {left}")
        if broken := metric(self._lab.metrics(), "braid_invariants_broken_total"):
            self.fail(f"{broken:.0f} invariants broken")
        if not self._lab.gateway_alive() or self._lab.pid("gateway") != self._daemon:
            self.fail("braidd has ended")
        if self._growth() > MOST_GROWTH:
            self.fail(f"braidd's memory grew by {self._growth()} KiB after the warm-up")

    def _wait_for_pools(self):
        """What is still held when all time-outs have passed."""
        self.tell("waiting for all pools to be empty")
        end = time.monotonic() + CLEAR_WITHIN
        while True:
            left = {name: held for name, held in self._pools().items() if held}
            if not left or time.monotonic() > end:
                self._rss.append((self._elapsed(), self._resident()))
                return left
            time.sleep(1)

    def _warm(self):
        """KiB in the warm-up, at most."""
        return max(size for at, size in self._rss if at <= self._seconds * WARM_UP)

    def _growth(self):
        return self._rss[-1][1] - self._warm()

    def _figures(self, weather):
        return {"seed": self._seed, "minutes": round(self._seconds / 60, 2), "transfers": self.verdicts.total(),
                "whole": self.verdicts["whole"], "ended_visibly": self.verdicts["ended"],
                "lost_by_client": self.verdicts["lost"], "wrong": self.verdicts["wrong"],
                "mbytes": round(self.bytes / 1e6), **weather.counts, "rss_warm_kib": self._warm(),
                "rss_end_kib": self._rss[-1][1], "failures": len(self.failures)}


def keep_logs(lab, soak):
    """Copies what the lab would take with it, and says where."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="braid-soak-"))
    shutil.copytree(lab.state / "log", folder, dirs_exist_ok=True)
    shutil.copy(lab.state / "braid.yaml", folder)
    (folder / "failures").write_text("".join(f"{text}\n" for text in soak.failures))
    if lab.gateway_alive():
        (folder / "metrics").write_text("".join(f"{name} {dict(labels)} {value}\n"
                                                for (name, labels), value in lab.metrics().items()))
    soak.tell(f"logs: {folder}")


def summary(figures):
    return (f"{figures['transfers']} transfers: {figures['whole']} whole, {figures['ended_visibly']} ended visibly, "
            f"{figures['lost_by_client']} lost by the client's kernel, {figures['wrong']} wrong; {figures['mbytes']} MB\n"
            f"weather: {figures['cuts']} cuts, {figures['unplugs']} unplugs, {figures['losses']} spells of loss, "
            f"{figures['resets']} of resets, {figures['links']} other links, {figures['boxes']} middleboxes\n"
            f"braidd's memory: {figures['rss_warm_kib']} KiB in the warm-up, {figures['rss_end_kib']} at the end\n"
            f"seed {figures['seed']}: {'all is well' if not figures['failures'] else 'FAILED'}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    print(f"seed {args.seed}; setting up network namespaces; nothing outside of them is touched.", file=sys.stderr, flush=True)
    try:
        with Lab(os.environ.get("BRAID_LAB", "braid"), profile="dsl+lte", workers=2, timeouts=TIMEOUTS) as lab:
            soak = Soak(lab, args.minutes * 60, args.seed)
            try:
                figures = soak.run()
            except LabError as error:
                soak.fail(str(error))
            if soak.failures:
                keep_logs(lab, soak)
    except LabError as error:
        print(f"soak: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nThe lab is gone.", file=sys.stderr)
        return 130
    if "figures" not in locals():
        return 1
    print(summary(figures), file=sys.stderr)
    if args.json:
        print(json.dumps(figures), flush=True)
    return 1 if soak.failures else 0


if __name__ == "__main__":
    sys.exit(main())
