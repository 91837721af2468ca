"""What scripts/demo measures and tells, once everything is built: see there."""

import argparse
import json
import os
import pathlib
import re
import signal
import statistics
import sys
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/kernel"))

from lab import CLIENT, GATEWAY, Lab, LabError, file_digest, metric  # noqa: E402

MB = 1_000_000
SIZE_A, SIZE_B, SIZE_BOTH, SIZE_CUT, CUT_AT = 16 * MB, 32 * MB, 60 * MB, 30 * MB, 12 * MB
ROUNDS = 3  # the LTE link has fades, so one download says little

PICTURE = """
              .-- link a, DSL: 20/5 Mbit/s, 12 ms -------.
    client --<                                            >-- access router -- gateway -- server
    (MPTCP)   '-- link b, LTE: 50/20 Mbit/s, 25 ms +- 8 --'                                (TCP only)
"""


def say(text=""):
    print(text, file=sys.stderr, flush=True)


class Demo:
    def __init__(self, lab):
        self.lab = lab
        self.bytes_ok = True

    def median(self, size, **options):
        """Mbit/s of the download in the middle of ROUNDS."""
        return statistics.median(self.fetch(size, **options)["mbps"] for _ in range(ROUNDS))

    def fetch(self, size, **options):
        with self.lab.start("download", to=GATEWAY[4], bytes=size, progress=MB, **options) as transfer:
            self.narrate(transfer)
            return self.judge(transfer.result(), size)

    def narrate(self, transfer):
        """Tells every two seconds what each link carries."""
        def counters():
            return time.monotonic(), self.lab.received_on("a"), self.lab.received_on("b")

        then = counters()
        for moved in transfer.progress():
            now = counters()
            seconds = now[0] - then[0]
            if seconds >= 2:
                rates = [(now[i] - then[i]) * 8 / seconds / 1e6 for i in (1, 2)]
                say(f"   {moved // MB:3} MB   link a {rates[0]:5.1f} Mbit/s   link b {rates[1]:5.1f} Mbit/s")
                then = now

    def judge(self, got, size):
        if got["outcome"] != "done":
            raise LabError(f"a transfer ended with '{got['outcome']}' after {got['bytes']} bytes")
        same = got["sha256"] == file_digest(self.lab, size)
        self.bytes_ok = self.bytes_ok and same
        say(f"   {size // MB} MB in {got['seconds']:.1f} s: {got['mbps']:.1f} Mbit/s, SHA-256 {'equal' if same else 'DIFFERS'}")
        return got

    def fetch_with_cut(self):
        with self.lab.start("download", to=GATEWAY[4], bytes=SIZE_CUT, progress=MB) as transfer:
            transfer.until(CUT_AT)
            say(f"   {CUT_AT // MB} MB are here. From now on nothing comes out of link b at either end.")
            self.lab.command("cut", "b")
            self.narrate(transfer)
            got = self.judge(transfer.result(), SIZE_CUT)
        self.lab.command("heal", "b")
        return got

    def run(self):
        before = self.lab.mptcp_counters()
        say(f"1. Plain TCP over link a alone, {ROUNDS} times.")
        path_a = self.median(SIZE_A, proto="tcp", source=CLIENT["a", 4])
        say(f"2. Plain TCP over link b alone, {ROUNDS} times.")
        path_b = self.median(SIZE_B, proto="tcp", source=CLIENT["b", 4])
        say(f"3. MPTCP over both links, {ROUNDS} times.")
        both = self.median(SIZE_BOTH)
        ratio = both / (path_a + path_b)
        say(f"   The median is {ratio:.2f} of the sum of both links' medians.")
        say("4. MPTCP over both links, and the faster link is cut silently on the way.")
        cut = self.fetch_with_cut()
        say(f"   The longest pause the application saw: {cut['longest_gap_ms']:.0f} ms.")
        joins = self.lab.mptcp_counters()["MPJoinSynAckRx"] - before["MPJoinSynAckRx"]
        say(f"The client's kernel counts {joins} joined subflows.")
        self.ask_braid()
        late = self.ask_links()
        return {"path_a_mbps": round(path_a, 2), "path_b_mbps": round(path_b, 2),
                "both_mbps": round(both, 2), "sum_ratio": round(ratio, 3),
                "cut_gap_ms": round(cut["longest_gap_ms"]), "bytes_ok": self.bytes_ok, "joins": joins,
                "links_late_us": late}

    def ask_braid(self):
        if self.lab.is_braid:
            samples = self.lab.metrics()
            say(f"Braid counts {metric(samples, 'braid_mptcp_joins_total', result='ok'):.0f} joins, "
                f"{metric(samples, 'braid_mptcp_reinjected_bytes_total') / 1000:.0f} kB sent again on another link.")

    def ask_links(self):
        late = self.lab.command("links").splitlines()[-1]
        say(f"The emulated links' {late}.")
        p99 = int(re.search(r"p99 (\d+)", late)[1])
        if p99 > 1000:
            say("That is too much: this machine is too busy for the figures above to mean something.")
        return p99


def keep(lab):
    """Leaves a transfer running in a loop, so that there is something to see, until interrupted."""
    prefix = "" if lab.name == "braid" else f"BRAID_LAB={lab.name} "
    say("\nThe lab keeps running, and the client fetches the file again and again. In another terminal:")
    if lab.is_braid:
        sudo = "sudo " if "SUDO_USER" in os.environ else ""
        say(f"  {sudo}{os.environ.get('BRAID_BUILD', 'build')}/app/braidctl --socket {lab.state}/braid.sock sessions")
        say(f"  {prefix}scripts/lab exec gw curl -s http://127.0.0.1:9464/metrics")
    say(f"  {prefix}scripts/lab exec client ss -Mni")
    say(f"  {prefix}scripts/lab cut b          (and: heal b, unplug a, plug a)")
    say(f"  {prefix}scripts/lab status")
    say("Ctrl-C ends the demo and removes the lab.")
    while True:
        got = lab.client("download", to=GATEWAY[4], bytes=60 * MB)
        say(f"   {got['outcome']}: {got['mbps']:.1f} Mbit/s")
        time.sleep(1)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--keep", action="store_true")
    parser.add_argument("--gateway", default="braid")
    args = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    say(PICTURE)
    say("Setting up network namespaces; nothing outside of them is touched.")
    result = None
    try:
        with Lab(os.environ.get("BRAID_LAB", "braid"), profile="dsl+lte", gateway=args.gateway) as lab:
            result = Demo(lab).run()
            if args.json:
                print(json.dumps(result), flush=True)
            if args.keep:
                keep(lab)
    except LabError as error:
        say(f"demo: {error}")
        return 1
    except KeyboardInterrupt:
        say("\nThe lab is gone.")
        if not (args.keep and result):
            return 130
    return 0 if result["bytes_ok"] and result["joins"] > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
