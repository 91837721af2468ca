"""Servers that misbehave: what the client sees is never a clean end that was none, and never a hang."""

import pytest

from lab import GATEWAY

MIB = 1 << 20
BOTH = pytest.mark.parametrize("proto", ["mptcp", "tcp"])
pytestmark = pytest.mark.usefixtures("braid_only")


@BOTH
def test_reset_by_the_server_reaches_the_client_as_a_reset(two_workers, family, proto):
    got = two_workers.client("talk", to=GATEWAY[family], service="abort", proto=proto, bytes=4 * MIB)
    assert got["outcome"] == "reset", got


@BOTH
def test_refusal_reaches_the_client_as_a_reset(two_workers, family, proto):
    got = two_workers.client("talk", to=GATEWAY[family], service="refuse", proto=proto, bytes=1000)
    assert got["outcome"] in ("reset", "refused"), got


@BOTH
def test_server_that_does_not_exist_ends_in_a_reset_by_the_connect_timeout(two_workers, family, proto):
    got = two_workers.client("talk", to=GATEWAY[family], service="nowhere", proto=proto, bytes=1000)
    assert got["outcome"] in ("reset", "refused"), got


@BOTH
def test_server_that_never_reads_stops_the_client(two_workers, family, proto):
    """Back pressure has a bound: the client cannot push 64 MiB into a gateway that cannot get rid of them."""
    got = two_workers.client("talk", to=GATEWAY[family], service="stuck", proto=proto, bytes=64 * MIB, patience=3)
    assert got["outcome"] == "timeout", got
    assert got["sent"] < 48 * MIB


@BOTH
def test_slow_server_gets_every_byte(two_workers, family, proto):
    got = two_workers.client("sink", to=GATEWAY[family], service="slow", proto=proto, bytes=6 * MIB)
    assert got["outcome"] == "done", got


@BOTH
def test_slow_client_gets_every_byte(two_workers, family, proto):
    got = two_workers.client("download", to=GATEWAY[family], proto=proto, bytes=6 * MIB, slow=3 * MIB)
    assert got["outcome"] == "done", got
