"""The main job: streams of a kernel client through the gateway, byte for byte, on every port driver."""

import pytest

from lab import GATEWAY, file_digest, uploaded_digest

MIB = 1 << 20
SIZE = 64 * MIB


def test_download_over_two_paths(fast_lab, family, watch):
    with watch(fast_lab) as seen:
        got = fast_lab.client("download", to=GATEWAY[family], bytes=SIZE, joined=1)
    assert got["outcome"] == "done", got
    assert got["sha256"] == file_digest(fast_lab, SIZE)
    assert got["mptcp"] and got["joined"] == 1, got
    assert seen.joins > 0
    assert not seen.errors


def test_upload_over_two_paths(fast_lab, family, watch):
    with watch(fast_lab) as seen:
        got = fast_lab.client("upload", to=GATEWAY[family], bytes=SIZE, name="two-paths", joined=1)
    assert got["outcome"] == "done", got
    assert got["sha256"] == uploaded_digest(fast_lab, "two-paths")
    assert got["mptcp"] and got["joined"] == 1, got
    assert seen.joins > 0
    assert not seen.errors


@pytest.mark.parametrize("command", ["download", "upload"])
def test_plain_tcp_client(fast_lab, family, command):
    got = fast_lab.client(command, to=GATEWAY[family], bytes=16 * MIB, proto="tcp", name="plain")
    assert got["outcome"] == "done", got
    expected = file_digest(fast_lab, 16 * MIB) if command == "download" else uploaded_digest(fast_lab, "plain")
    assert got["sha256"] == expected


def test_500_short_connections_at_once(fast_lab, family, watch):
    with watch(fast_lab) as seen:
        got = fast_lab.client("many", to=GATEWAY[family], count=500, bytes=2000)
    assert got["outcomes"] == {"done": 500}
    assert not seen.errors


@pytest.mark.parametrize("proto", ["mptcp", "tcp"])
def test_half_close_echo(fast_lab, family, proto, watch):
    """The client closes its half while the answer still flows; every byte comes back, then the end."""
    with watch(fast_lab) as seen:
        got = fast_lab.client("echo", to=GATEWAY[family], bytes=8 * MIB, proto=proto)
    assert got["outcome"] == "done", got
    assert not seen.errors


def test_answer_after_the_client_has_closed_its_half(fast_lab, family):
    got = fast_lab.client("sink", to=GATEWAY[family], bytes=8 * MIB)
    assert got["outcome"] == "done", got


def test_ping_is_answered_by_the_kernel_behind_the_port(fast_lab, family):
    got = fast_lab.client("ping", to=GATEWAY[family], count=5, patience=2)
    assert got["answers"] == 5, got
