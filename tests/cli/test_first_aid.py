"""The first five minutes: the version, what is missing here, systems without affinities."""

from __future__ import annotations

import os
import re
from importlib import metadata
from pathlib import Path

import pytest

from neurossm.engine.cores import usable_cores
from neurossm_workflows import timing as measuring

ROOT = Path(__file__).parents[2]


def test_version(neurossm):
    ended = neurossm("--version")
    declared = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.M)[1]
    assert ended.status == 0 and ended.out == f"neurossm {declared}\n" and not ended.err
    assert metadata.version("neurossm") == declared


def test_doctor_recommends_to_fetch_only_what_can_be_fetched(neurossm, tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROSSM_DATA", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    found = neurossm("doctor", "--json").document["checks"]
    data = {one["name"].removeprefix("data: "): one for one in found if "data: " in one["name"]}
    fetching = {name for name, one in data.items() if "data fetch" in one["remedy"]}
    assert fetching == {"mnist", "psmnist"}  # of the same files
    assert {data[name]["remedy"] for name in fetching} == {"neurossm data fetch mnist"}
    missing = {name for name, one in data.items() if not one["ok"]} - fetching
    assert all(str(tmp_path) in data[name]["remedy"] for name in missing) and missing
    shown = neurossm("doctor").out
    assert "  data: mnist: neurossm data fetch mnist\n" in shown


@pytest.mark.parametrize("cores", [3, None])
def test_cores_where_the_system_has_no_affinities(cores, monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.delattr(os, "getloadavg", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: cores)
    assert usable_cores() == (cores or 1)
    machine = measuring.machine()
    assert machine["cores"] == (cores or 1) and machine["load_average"] is None
    assert measuring.load_said(None) == "unknown" and measuring.load_said([0.25, 0, 0]) == "0.25"


def test_only_one_place_asks_for_affinities():
    files = [*ROOT.glob("neurossm/**/*.py"), *ROOT.glob("models/**/*.py"),
             *ROOT.glob("converters/**/*.py"), *ROOT.glob("benchmarks/*.py")]  # fmt: skip
    asking = [file.name for file in files if "sched_getaffinity" in file.read_text()]
    assert asking == ["cores.py"]
