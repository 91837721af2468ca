"""A minute of scripts/soak: load, bad weather, and nothing left behind. What it asserts is its own to say."""

import json
import os
import subprocess

import pytest

from conftest import NAME
from lab import ROOT

pytestmark = pytest.mark.usefixtures("braid_only")
WEATHER = ("cuts", "unplugs", "losses", "resets", "links", "boxes")


def test_a_minute_of_soak():
    environment = os.environ | {"BRAID_LAB": f"{NAME}-s", "BRAID_BUILD": os.environ.get("BRAID_BUILD", str(ROOT / "build"))}
    done = subprocess.run([ROOT / "scripts/soak", "--minutes", "1", "--seed", "1", "--json"], env=environment, text=True,
                          check=False, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    assert figures["whole"] > 0 and figures["wrong"] == 0
    assert all(figures[kind] > 0 for kind in WEATHER), figures
