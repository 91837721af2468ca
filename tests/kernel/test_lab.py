"""What is interrupted leaves nothing behind."""

import os
import pathlib
import signal
import subprocess
import time

import pytest

from conftest import NAME
from lab import ROOT, Lab

pytestmark = pytest.mark.usefixtures("braid_only")
COMMANDS = {"lab": ["scripts/lab", "up", "--gateway", "none"], "demo": ["scripts/demo", "--json"],
            "soak": ["scripts/soak", "--minutes", "1"]}


def hear_signals():
    """A runner in the background has SIGINT ignored, and a shell cannot trap what it was born ignoring."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def left_of(name):
    names = subprocess.run(["ip", "netns", "list"], text=True, check=True, stdout=subprocess.PIPE).stdout
    found = [line for line in names.splitlines() if line.startswith(f"{name}-")]
    return found + [str(path) for path in [pathlib.Path("/run/braid-lab") / name] if path.exists()]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("command", COMMANDS)
def test_interrupted_set_up_is_taken_down(command, number):
    name = f"{NAME}-{command}{int(number)}"
    environment = os.environ | {"BRAID_LAB": name, "BRAID_BUILD": os.environ.get("BRAID_BUILD", str(ROOT / "build"))}
    # A session of its own, so that a terminal's Ctrl-C can be sent to all of it and to nothing else.
    with subprocess.Popen(COMMANDS[command], cwd=ROOT, env=environment, start_new_session=True, preexec_fn=hear_signals,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            while not left_of(name):  # until it has begun; bounded by the end of the command
                assert process.poll() is None, process.stderr.read()
                time.sleep(0.01)
            os.killpg(process.pid, number)
            said = process.stderr.read()
            assert process.wait(60) != 0, said
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    left = left_of(name)
    Lab(name).command("down")
    assert left == [], said
