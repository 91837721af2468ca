"""What honest clients get while SYNs from random addresses come in, against what they get in quiet, in the same run.

The client reaches Braid over access links of 120 and 40 Mbit/s, which are what limits it in quiet. braid-flood sends on the
access router's wire toward Braid. CPU 1 belongs to Braid's worker, CPU 0 to everything else, the flood included.
"""

import argparse
import collections
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys

sys.dont_write_bytecode = True
ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "perf"))

import two_cpus  # noqa: E402
from lab import GATEWAY, LabError, metric  # noqa: E402
from two_cpus import ON_CPU_0, say  # noqa: E402

FLOOD = pathlib.Path(os.environ.get("BRAID_BUILD", ROOT / "build")) / "perf/braid-flood"
PORT = 5003  # echo's, where the honest clients connect too
AT_ONCE = 5  # of each protocol
# Answers to addresses that nobody has vanish on the access router before they cost Braid's CPU a look at routes.
SINK = """
table netdev sink {
  chain in {
    type filter hook ingress device "wan" priority 0;
    ip daddr 198.18.0.0/15 ip daddr != 198.18.0.0/22 drop
  }
}"""


class Flood:
    """braid-flood on the access router. As a context manager it runs until the block's end; then `kpps` and `sent` are known."""

    def __init__(self, lab, kpps):
        mac = lab.on("gw", "cat", "/sys/class/net/wan/address").strip()
        self._argv = lab.argv("isp", *ON_CPU_0, FLOOD, "--device", "wan", "--to", f"{GATEWAY[4]}:{PORT}", "--mac", mac,
                              "--kpps", kpps, "--seconds", 120)
        self.kpps, self.sent = 0.0, 0

    def __enter__(self):
        self._process = subprocess.Popen(list(map(str, self._argv)), stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(self, *_):
        self._process.terminate()
        said, _ = self._process.communicate(timeout=10)
        if self._process.returncode:
            raise LabError("braid-flood failed")
        self.kpps, self.sent = (json.loads(said)[key] for key in ("kpps", "sent"))


def honest(lab, args, during):
    """One established download and new connections beside it, inside the context manager `during`, which begins when the
    download is under way. Returns its Mbit/s and how many connections ended how."""
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(lab.start("rate", ON_CPU_0, to=GATEWAY[4], seconds=args.seconds, progress=1_000_000))
        stream.until(1_000_000)
        stack.enter_context(during)
        connects = [stack.enter_context(lab.start("many", ON_CPU_0, to=GATEWAY[4], proto=proto, bytes=200,
                                                  count=args.connects // 2, at_once=AT_ONCE)) for proto in ("mptcp", "tcp")]
        outcomes = sum((collections.Counter(transfer.result()["outcomes"]) for transfer in connects), collections.Counter())
        got = stream.result()
    if got["outcome"] != "done" or not got["joined"]:
        raise LabError(f"the established connection failed: {got}")
    return got["mbps"], outcomes


def cookies(lab):
    return metric(lab.metrics(), "braid_tcp_syn_cookies_total", event="sent")


def measure(lab, args):
    found = {"quiet": [], "goodput": [], "kpps": [], "answered": [], "connects": 0}
    for number in range(args.rounds):
        quiet, _ = honest(lab, args, contextlib.nullcontext())
        flood = Flood(lab, args.kpps)
        before = cookies(lab)
        flooded, outcomes = honest(lab, args, flood)
        found["quiet"].append(quiet)
        found["goodput"].append(flooded / quiet)
        found["kpps"].append(flood.kpps)
        found["answered"].append((cookies(lab) - before) / flood.sent)
        found["connects"] += outcomes["done"]
        say(f"round {number + 1}: quiet {quiet:.0f} Mbit/s, under {flood.kpps:.0f} kpps {flooded:.0f} Mbit/s, "
            f"{found['answered'][-1]:.0%} of the SYNs answered, connects: {dict(outcomes)}")
    return found


def compare(args):
    with two_cpus.lab("braidflood", profile="fast", driver=args.driver, idle="spin", cpus="1") as lab:
        lab.on("isp", "nft", SINK)
        found = measure(lab, args)
        if not lab.gateway_alive():
            raise LabError("braidd has ended")
    print(json.dumps({"flood_kpps": round(statistics.median(found["kpps"])),
                      "flood_goodput_ratio": round(statistics.median(found["goodput"]), 3),
                      "flood_quiet_mbps": round(statistics.median(found["quiet"])),
                      "flood_connects_ok": round(found["connects"] / (args.connects // 2 * 2 * args.rounds), 5),
                      "flood_answered": round(statistics.median(found["answered"]), 3)}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--connects", type=int, default=1000, help="new connections in a round, half of them MPTCP")
    parser.add_argument("--kpps", type=float, default=250, help="thousands of SYNs per second")
    parser.add_argument("--driver", default="net_af_xdp", choices=("net_af_packet", "net_af_xdp"))
    args = parser.parse_args()
    return two_cpus.run("flood", lambda: compare(args))


if __name__ == "__main__":
    sys.exit(main())
