"""Labs for the tests. BRAID_TEST_GATEWAY=haproxy runs what can be run on the kernel's own MPTCP instead."""

import contextlib
import os
import pathlib
import signal
import subprocess

import pytest

from lab import ROOT, Lab

KIND = os.environ.get("BRAID_TEST_GATEWAY", "braid")
NAME = f"braidtest-{os.getpid()}"
BRAIDD = pathlib.Path(os.environ.get("BRAID_BUILD", ROOT / "build")) / "app/braidd"

# A counter of the client's kernel that moves means that Braid said something the kernel had to object to.
ERROR_COUNTERS = (
    "MPCapableFallbackACK MPCapableFallbackSYNACK MPCapableDataFallback MD5SigFallback DssFallback "
    "SimultConnectFallback FallbackFailed MPJoinNoTokenFound MPJoinSynAckHMacFailure MPJoinAckHMacFailure MPJoinRejected "
    "DSSNotMatching DSSCorruptionFallback DSSCorruptionReset DSSNoMatchTCP DataCsumErr NoDSSInWindow "
    "InfiniteMapTx InfiniteMapRx MPFailTx MPFailRx Blackhole").split()
if KIND != "braid":
    ERROR_COUNTERS.remove("NoDSSInWindow")  # the kernel as server moves it now and then


def setups(*pairs):
    """Parameters of a lab fixture: (driver, workers). The stand-in has only one kind."""
    if KIND != "braid":
        return [pytest.param(("net_af_packet", 1), id=KIND)]
    return [pytest.param(pair, id=f"{pair[0].removeprefix('net_')}-{pair[1]}w") for pair in pairs]


def make_lab(profile, setup):
    driver, workers = setup
    return Lab(NAME, profile=profile, gateway=KIND, driver=driver, workers=workers)


@pytest.fixture(scope="session", autouse=True)
def sweep():
    """Whatever happens, nothing of this run's name stays behind."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    yield
    Lab(NAME).command("down")


@pytest.fixture(scope="module",
                params=setups(("net_af_packet", 1), ("net_af_packet", 2), ("net_af_xdp", 1), ("net_af_xdp", 2)))
def fast_lab(request):
    """Unlimited links, every port driver, one and two workers."""
    with make_lab("unlimited", request.param) as lab:
        yield lab


@pytest.fixture(scope="module", params=setups(("net_af_packet", 1), ("net_af_xdp", 2)))
def shaped_lab(request):
    """Links of 120 and 40 Mbit/s, so that things can happen in mid-transfer."""
    with make_lab("fast", request.param) as lab:
        yield lab


@pytest.fixture(scope="module", params=setups(("net_af_packet", 2)))
def two_workers(request):
    with make_lab("unlimited", request.param) as lab:
        yield lab


@pytest.fixture(params=[4, 6], ids=["v4", "v6"])
def family(request):
    return request.param


@pytest.fixture(scope="session")
def braid_only():
    if KIND != "braid":
        pytest.skip("about Braid itself")


@pytest.fixture(autouse=True)
def gateway_survives(request):
    """After every test that has a lab, its gateway still runs."""
    yield
    for name in ("fast_lab", "shaped_lab", "two_workers"):
        if name in request.fixturenames:
            lab = request.getfixturevalue(name)
            assert lab.gateway_alive(), f"the gateway has ended:\n{lab.gateway_log()[-4000:]}"


class Watch:
    """The client kernel's MPTCP counters during a block."""

    def __init__(self, lab):
        self._lab = lab

    def __enter__(self):
        self._before = self._lab.mptcp_counters()
        return self

    def __exit__(self, *_):
        after = self._lab.mptcp_counters()
        self.moved = {name: after[name] - self._before[name] for name in after if after[name] != self._before[name]}

    @property
    def joins(self):
        return self.moved.get("MPJoinSynAckRx", 0)

    @property
    def errors(self):
        return {name: count for name, count in self.moved.items() if name in ERROR_COUNTERS}


@pytest.fixture
def watch():
    return Watch


@contextlib.contextmanager
def serving(lab, *arguments, number=signal.SIGTERM):
    """braidd on the gateway, from READY on; ends with exit status 0 on the signal."""
    with subprocess.Popen(lab.argv("gw", BRAIDD, *arguments), text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as daemon:
        try:
            lines = []
            for line in daemon.stdout:
                lines.append(line)
                if "READY" in line:
                    break
            assert lines and "READY" in lines[-1], lines
            yield daemon
            daemon.send_signal(number)
            rest = daemon.stdout.read()
            assert daemon.wait(60) == 0, rest
        finally:
            if daemon.poll() is None:
                daemon.kill()
