"""braidd as a process: start, stop, exit status, and files that are wrong."""

import signal
import subprocess

import pytest

from conftest import BRAIDD, NAME, serving
from lab import ROOT, Lab

pytestmark = pytest.mark.usefixtures("braid_only")
EX_USAGE, EX_CONFIG = 64, 78


@pytest.fixture(scope="module")
def bare_lab():
    with Lab(f"{NAME}-d", profile="unlimited", gateway="none") as lab:
        yield lab


@pytest.fixture
def config(bare_lab, tmp_path):
    path = tmp_path / "braid.yaml"
    path.write_text(bare_lab.command("config"))
    return path


def check(path):
    return subprocess.run([BRAIDD, "--config", path, "--check"], text=True, check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ready_then_clean_stop(bare_lab, config, number):
    with serving(bare_lab, "--config", config, number=number):
        pass
    assert "braid-wan" not in bare_lab.on("gw", "ip", "-br", "link")
    assert bare_lab.on("gw", "nft", "list", "ruleset") == ""


def test_check_accepts_the_labs_own_config(config):
    done = check(config)
    assert done.returncode == 0, done.stdout


def test_the_readmes_first_config_is_valid(config):
    blocks = (ROOT / "README.md").read_text().split("```yaml\n")
    assert len(blocks) == 2
    config.write_text(blocks[1].split("```")[0])
    done = check(config)
    assert done.returncode == 0, done.stdout


def test_every_mistake_is_reported_with_its_place(config):
    text = config.read_text().replace("upstream: echo6", "upstream: ecko6")
    text = text.replace("version: 1", "version: 1\nspeed: fast")
    config.write_text(text)
    done = check(config)
    assert done.returncode == EX_CONFIG, done.stdout
    said = done.stdout.splitlines()
    for word in ("speed", "ecko6"):
        line = 1 + next(n for n, line in enumerate(text.splitlines()) if word in line)
        assert any(found.startswith(f"{config}:{line}:") and word in found for found in said), done.stdout


@pytest.mark.parametrize("content", [b"", b"\0\xff\xfe", b"[", b"version: 1\n" * 2, b"ports: 7\n"])
def test_nonsense_is_refused_with_a_clear_answer(config, content):
    config.write_bytes(content)
    done = check(config)
    assert done.returncode == EX_CONFIG, done.stdout
    assert str(config) in done.stdout


def test_unknown_option_is_a_usage_error():
    done = subprocess.run([BRAIDD, "--no-such-option"], check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == EX_USAGE, done.stdout
