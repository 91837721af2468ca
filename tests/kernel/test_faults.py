"""Paths that fail and come back in mid-transfer, seen by a kernel client. Nothing here measures time."""

import time

import pytest

from lab import GATEWAY, file_digest, metric, uploaded_digest

MIB = 1 << 20
SIZE = 24 * MIB

BREAK = {"cut": "heal", "unplug": "plug"}


# Keeps the router from saying that packets are too large, as badly kept firewalls do.
HUSH = """
table inet hush {
  chain out {
    type filter hook output priority 0;
    icmp type destination-unreachable drop
    icmpv6 type packet-too-big drop
  }
}"""


@pytest.fixture(autouse=True)
def links_whole_again(shaped_lab):
    """Leaves both links as they were, whatever the test did with them."""
    yield
    shaped_lab.on("isp", "ip", "link", "set", "dev", "a", "mtu", "1500")
    shaped_lab.on("isp", "nft", "flush", "ruleset")
    for undo in BREAK.values():
        for link in "ab":
            shaped_lab.command(undo, link, check=False)


def digest_at_server(lab, command, size):
    return file_digest(lab, size) if command == "download" else uploaded_digest(lab, "fault")


@pytest.mark.parametrize("how", BREAK)
@pytest.mark.parametrize("command", ["download", "upload"])
def test_transfer_survives_loss_of_the_first_path(shaped_lab, family, command, how, watch):
    with watch(shaped_lab) as seen:
        with shaped_lab.start(command, to=GATEWAY[family], bytes=SIZE, name="fault", progress=MIB) as transfer:
            transfer.until(8 * MIB)
            shaped_lab.command(how, "a")
            got = transfer.result()
    assert got["outcome"] == "done", got
    assert got["sha256"] == digest_at_server(shaped_lab, command, SIZE)
    assert not seen.errors


def test_transfer_survives_loss_of_the_joined_path(shaped_lab, family):
    with shaped_lab.start("download", to=GATEWAY[family], bytes=SIZE, progress=MIB) as transfer:
        transfer.until(8 * MIB)
        shaped_lab.command("cut", "b")
        got = transfer.result()
    assert got["outcome"] == "done", got
    assert got["sha256"] == file_digest(shaped_lab, SIZE)


@pytest.mark.parametrize("how", BREAK)
def test_path_that_comes_back_is_used_again(shaped_lab, family, how):
    size = 60 * MIB
    with shaped_lab.start("download", to=GATEWAY[family], bytes=size, progress=MIB) as transfer:
        transfer.until(4 * MIB)
        shaped_lab.command(how, "a")
        transfer.until(12 * MIB)  # more than what was on its way: the other path carries on alone
        shaped_lab.command(BREAK[how], "a")
        before = shaped_lab.received_on("a")
        got = transfer.result()
    assert got["outcome"] == "done", got
    assert got["sha256"] == file_digest(shaped_lab, size)
    assert shaped_lab.received_on("a") - before > 4 * MIB


def test_both_paths_cut_and_back(shaped_lab, family):
    """Silence on all paths is a pause, not an end."""
    with shaped_lab.start("download", to=GATEWAY[family], bytes=SIZE, progress=MIB) as transfer:
        transfer.until(8 * MIB)
        shaped_lab.command("cut", "a")
        shaped_lab.command("cut", "b")
        time.sleep(1)  # long enough for time-outs on both
        shaped_lab.command("heal", "a")
        shaped_lab.command("heal", "b")
        got = transfer.result()
    assert got["outcome"] == "done", got
    assert got["sha256"] == file_digest(shaped_lab, SIZE)


@pytest.mark.parametrize("router", ["tells", "is_silent"])
@pytest.mark.parametrize("proto", ["tcp", "mptcp"])
def test_path_that_comes_to_take_smaller_packets(shaped_lab, family, proto, router):
    """A tunnel or PPPoE on the way: RFC 1191, RFC 8201, and RFC 8899's black hole."""
    if not shaped_lab.is_braid:
        pytest.xfail("the kernel does not look for black holes by default (tcp_mtu_probing)")
    before = metric(shaped_lab.metrics(), "braid_tcp_mtu_lowered_total")
    with shaped_lab.start("download", to=GATEWAY[family], bytes=SIZE, proto=proto, progress=MIB) as transfer:
        transfer.until(4 * MIB)
        if router == "is_silent":
            shaped_lab.on("isp", "nft", HUSH)
        shaped_lab.on("isp", "ip", "link", "set", "dev", "a", "mtu", "1400")
        before_narrow = shaped_lab.received_on("a")
        got = transfer.result()
    assert got["outcome"] == "done", got
    assert got["sha256"] == file_digest(shaped_lab, SIZE)
    assert metric(shaped_lab.metrics(), "braid_tcp_mtu_lowered_total") == before + 1
    assert shaped_lab.received_on("a") - before_narrow > 2 * MIB, "the narrow path was not used again"
