"""Kinds of ports besides AF_PACKET and AF_XDP, and a second braidd beside the first."""

import json
import os
import subprocess

import pytest

from conftest import BRAIDD, NAME, serving
from lab import GATEWAY, Lab, file_digest

pytestmark = pytest.mark.usefixtures("braid_only")
BRAIDCTL = BRAIDD.parent / "braidctl"
EX_UNAVAILABLE = 69
MIB = 1 << 20


@pytest.fixture
def bare_lab():
    with Lab(f"{NAME}-p", profile="unlimited", gateway="none") as lab:
        yield lab


def move(lab, device, host, name, *addresses):
    """Gives a device of the gateway to another host, in place of the wire of that name."""
    lab.on(host, "ip", "link", "del", "dev", name)
    lab.on("gw", "ip", "link", "set", "dev", device, "netns", f"{lab.name}-{host}", "name", name)
    for address in addresses:
        lab.on(host, "ip", "addr", "add", address, "dev", name, *(["nodad"] if ":" in address else []))
    lab.on(host, "ip", "link", "set", "dev", name, "up")


def test_tap_ports_serve(bare_lab, tmp_path):
    """The kernel's ends of the TAPs become the wires of the access router and of the server."""
    config = tmp_path / "braid.yaml"
    text = bare_lab.command("config").replace("net_af_packet:wan", "net_tap:tapw").replace("net_af_packet:lan", "net_tap:tapl")
    assert "net_tap:tapw" in text and "net_tap:tapl" in text
    config.write_text(text)
    with serving(bare_lab, "--config", config):
        move(bare_lab, "tapw", "isp", "wan", "198.18.0.1/24", "2001:db8::1/64")
        move(bare_lab, "tapl", "server", "lan", "198.18.3.2/24", "2001:db8:3::2/64")
        for family in (4, 6):
            joins = bare_lab.mptcp_counters()["MPJoinSynAckRx"]
            got = bare_lab.client("download", to=GATEWAY[family], bytes=32 * MIB)
            assert got["outcome"] == "done", got
            assert got["sha256"] == file_digest(bare_lab, 32 * MIB)
            assert bare_lab.mptcp_counters()["MPJoinSynAckRx"] > joins


def test_ring_ports_and_eal_words_of_the_command_line(bare_lab, tmp_path):
    """A ring has no other end: what can be shown is that the appliance stands on it."""
    config = tmp_path / "ring.yaml"
    socket = tmp_path / "braid.sock"
    config.write_text(f"""
version: 1
workers: {{ idle: {{ sleep: 50us }} }}
ports:
  - {{ name: r0, device: "net_ring:r0", addresses: [198.18.0.10/24] }}
  - {{ name: r1, device: "net_ring:r1", addresses: [198.18.3.1/24] }}
listeners: [{{ name: web, bind: "198.18.0.10:80", upstream: origin }}]
upstreams: [{{ name: origin, servers: [{{ address: "198.18.3.2:80" }}] }}]
control: {{ socket: {socket} }}
""")
    cpus = sorted(os.sched_getaffinity(0))
    with serving(bare_lab, "-l", f"{cpus[-1]},{cpus[0]}", "-m", "300", "--", "--config", config):
        info = json.loads(bare_lab.on("gw", BRAIDCTL, "--socket", socket, "info", "--json"))
        assert f"--lcores=0@{cpus[-1]},1@{cpus[0]}" in json.dumps(info)
        assert "-m300" in json.dumps(info)
        devices = bare_lab.on("gw", "ip", "-br", "link")
        assert "braid-r0" in devices and "braid-r1" in devices


def test_second_braidd_leaves_the_first_alone(bare_lab, tmp_path):
    config = tmp_path / "braid.yaml"
    config.write_text(bare_lab.command("config"))
    with serving(bare_lab, "--config", config):
        rules = bare_lab.on("gw", "nft", "list", "ruleset")
        devices = bare_lab.on("gw", "ip", "addr")
        assert "braid" in rules
        second = subprocess.run(bare_lab.argv("gw", BRAIDD, "--config", config), text=True, check=False, timeout=60,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert second.returncode == EX_UNAVAILABLE, second.stdout
        assert "braid-wan exists already" in second.stdout
        assert bare_lab.on("gw", "nft", "list", "ruleset") == rules
        assert bare_lab.on("gw", "ip", "addr") == devices
        got = bare_lab.client("download", to=GATEWAY[4], bytes=4 * MIB)
        assert got["sha256"] == file_digest(bare_lab, 4 * MIB)
