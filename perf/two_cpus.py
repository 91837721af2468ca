"""What the benchmarks in the lab share: CPU 1 belongs to the gateway's data path, CPU 0 to everything else."""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/kernel"))

from lab import Lab, LabError  # noqa: E402

ON_CPU_0 = ("taskset", "-c", "0")


def say(text):
    print(text, file=sys.stderr, flush=True)


@contextlib.contextmanager
def lab(name, **options):
    """A lab whose services keep off CPU 1."""
    with Lab(f"{name}-{os.getpid()}", **options) as made:
        for process in ("nginx", "traffic"):
            subprocess.run(["taskset", "-a", "-p", "-c", "0", str(made.pid(process))], check=True, stdout=subprocess.DEVNULL)
        yield made


def run(name, measure):
    """Calls `measure`, whose lab goes with it however it ends. Returns the exit status."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    if len(os.sched_getaffinity(0)) < 2:
        say(f"the {name} benchmark needs two CPUs")
        return 1
    if os.getloadavg()[0] > 0.5:
        say(f"other work is going on here (load average {os.getloadavg()[0]:.1f}): the figures will be lower than they could be")
    try:
        measure()
    except LabError as error:
        say(f"{name} benchmark: {error}")
        return 1
    except KeyboardInterrupt:
        say("the lab is gone")
        return 130
    return 0
