"""One stream over unlimited veths: MPTCP through Braid, against dpdk-testpmd forwarding frames and against the kernel's
own MPTCP with HAProxy. Same wires, offloads off, MTU 1500, all in one run; rounds are interleaved and the median is taken.

CPU 1 belongs to the gateway's data path, CPU 0 to the client, the server and everything else. The client has two
addresses on its wire, so an MPTCP stream has two subflows. testpmd's stream is plain TCP from end to end.
"""

import argparse
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests/kernel"))

from lab import GATEWAY, Lab, LabError  # noqa: E402

THROUGH_FRAMES = "198.18.0.200"  # the server's address in the client's own network


def say(text):
    print(text, file=sys.stderr, flush=True)


def measure(lab, kind, args):
    """Mbit/s of payload that one stream got."""
    lab.gateway(gateway=kind, driver=args.driver, idle="spin", cpus="1")
    frames = kind == "testpmd"
    with lab.start("rate", prefix=("taskset", "-c", "0"), to=THROUGH_FRAMES if frames else GATEWAY[4],
                   proto="tcp" if frames else "mptcp", seconds=args.seconds, direction=args.direction,
                   patience=10) as transfer:
        got = transfer.result()
    if got["outcome"] != "done" or not (frames or got["joined"]):
        raise LabError(f"the stream through {kind} failed: {got}")
    return got["mbps"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--driver", default="net_af_packet", choices=("net_af_packet", "net_af_xdp"))
    parser.add_argument("--direction", default="down", choices=("down", "up"))
    parser.add_argument("--gateways", default="braid,testpmd,haproxy", help="which to measure, in this order")
    args = parser.parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)  # the lab goes with us
    if len(os.sched_getaffinity(0)) < 2:
        say("the veth benchmark needs two CPUs")
        return 1
    if os.getloadavg()[0] > 0.5:
        say(f"other work is going on here (load average {os.getloadavg()[0]:.1f}): the figures will be lower than they could be")
    kinds = args.gateways.split(",")
    rates = {kind: [] for kind in kinds}
    try:
        with Lab(f"braidbench-{os.getpid()}", profile="direct", gateway="none") as lab:
            for process in ("nginx", "traffic"):
                subprocess.run(["taskset", "-a", "-p", "-c", "0", str(lab.pid(process))], check=True, stdout=subprocess.DEVNULL)
            for number in range(args.rounds):
                for kind in kinds:
                    rates[kind].append(measure(lab, kind, args))
                say(f"round {number + 1}: " + ", ".join(f"{kind} {rates[kind][-1]:.0f} Mbit/s" for kind in kinds))
    except LabError as error:
        say(f"veth benchmark: {error}")
        return 1
    except KeyboardInterrupt:
        say("the lab is gone")
        return 130
    median = {kind: statistics.median(found) for kind, found in rates.items()}
    if "braid" in median:
        result = {"veth_mbps": round(median["braid"])}
        result |= {f"veth_vs_{kind}": round(median["braid"] / median[kind], 3) for kind in kinds if kind != "braid"}
    else:
        result = {f"veth_{kind}_mbps": round(rate) for kind, rate in median.items()}
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
