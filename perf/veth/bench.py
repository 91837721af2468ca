"""One stream over unlimited veths: MPTCP through Braid, against dpdk-testpmd forwarding frames and against the kernel's
own MPTCP with HAProxy. Same wires, offloads off, MTU 1500, all in one run; rounds are interleaved and the median is taken.

CPU 1 belongs to the gateway's data path, CPU 0 to the client, the server and everything else. The client has two
addresses on its wire, so an MPTCP stream has two subflows. testpmd's stream is plain TCP from end to end.
"""

import argparse
import json
import pathlib
import statistics
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import two_cpus  # noqa: E402
from lab import GATEWAY, LabError  # noqa: E402
from two_cpus import ON_CPU_0, say  # noqa: E402

THROUGH_FRAMES = "198.18.0.200"  # the server's address in the client's own network


def measure(lab, kind, args):
    """Mbit/s of payload that one stream got."""
    lab.gateway(gateway=kind, driver=args.driver, idle="spin", cpus="1")
    frames = kind == "testpmd"
    with lab.start("rate", prefix=ON_CPU_0, to=THROUGH_FRAMES if frames else GATEWAY[4],
                   proto="tcp" if frames else "mptcp", seconds=args.seconds, direction=args.direction,
                   patience=10) as transfer:
        got = transfer.result()
    if got["outcome"] != "done" or not (frames or got["joined"]):
        raise LabError(f"the stream through {kind} failed: {got}")
    return got["mbps"]


def compare(kinds, args):
    rates = {kind: [] for kind in kinds}
    with two_cpus.lab("braidbench", profile="direct", gateway="none") as lab:
        for number in range(args.rounds):
            for kind in kinds:
                rates[kind].append(measure(lab, kind, args))
            say(f"round {number + 1}: " + ", ".join(f"{kind} {rates[kind][-1]:.0f} Mbit/s" for kind in kinds))
    median = {kind: statistics.median(found) for kind, found in rates.items()}
    if "braid" in median:
        result = {"veth_mbps": round(median["braid"])}
        result |= {f"veth_vs_{kind}": round(median["braid"] / median[kind], 3) for kind in kinds if kind != "braid"}
    else:
        result = {f"veth_{kind}_mbps": round(rate) for kind, rate in median.items()}
    print(json.dumps(result))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--driver", default="net_af_packet", choices=("net_af_packet", "net_af_xdp"))
    parser.add_argument("--direction", default="down", choices=("down", "up"))
    parser.add_argument("--gateways", default="braid,testpmd,haproxy", help="which to measure, in this order")
    args = parser.parse_args()
    return two_cpus.run("veth", lambda: compare(args.gateways.split(","), args))


if __name__ == "__main__":
    sys.exit(main())
