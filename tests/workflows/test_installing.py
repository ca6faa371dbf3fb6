"""Lava into the Python that runs: what pip is told, without a pip too, and how it fails."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from neurossm.errors import TargetError
from neurossm_converters.backends.lava import shim
from neurossm_workflows import installing
from neurossm_workflows.installing import install_lava, pip_command

HASH = "d646723e888a72868dac77d31beee3eef1f540366a8c1a8578a2dc3302470926"  # as the index says
MISSING = replace(shim.status(), version="", problem="lava-nc is not installed")
THERE = replace(MISSING, version="0.10.0", problem="")


@pytest.fixture
def ran(monkeypatch):
    """Let no command run; return those that would, with the requirements files they name."""
    commands = []

    def run(command, **options):
        commands.append((command, [Path(word).read_text() for word in command
                                   if word.endswith("requirements.txt")]))  # fmt: skip
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(installing.subprocess, "run", run)
    return commands


def found(monkeypatch, *states):
    """Let Lava's status be these, in order."""
    told = iter(states)
    monkeypatch.setattr(shim, "status", lambda: next(told))


def test_lava_alone_by_its_hash(monkeypatch, ran):
    found(monkeypatch, MISSING, THERE)
    monkeypatch.setattr(installing, "needs_more", lambda version: False)
    done = install_lava()
    assert (done.version, done.requirements) == ("0.10.0", ("lava-nc==0.10.0",))
    (pip, files), (check, _) = ran
    assert {"--no-deps", "--ignore-requires-python", "--require-hashes"} <= set(pip)
    assert files == [f"lava-nc==0.10.0 --hash=sha256:{HASH}\n"]
    assert check[:2] == [sys.executable, "-c"] and "import lava" in check[2]


def test_with_what_it_imports_where_that_is_missing(monkeypatch, ran):
    found(monkeypatch, replace(MISSING, numpy_version="2.5.0"), THERE)
    declared = ["numpy>=1.26", "scipy>=1.11; extra == 'lava'", 'numpy<2.4; extra == "lava"',
                "torch>=2.4; extra == 'torch'", "scipy; extra == 'dev'"]  # fmt: skip
    monkeypatch.setattr(installing.metadata, "requires", lambda package: declared)
    assert install_lava().requirements == ("scipy>=1.11", "numpy<2.4", "lava-nc==0.10.0")
    needs, files = ran[0]
    assert not files and needs[-2:] == ["scipy>=1.11", "numpy<2.4"] and "--no-deps" not in needs
    assert ran[1][1] == [f"lava-nc==0.10.0 --hash=sha256:{HASH}\n"]


def test_nothing_is_done_twice(monkeypatch, ran):
    found(monkeypatch, THERE)
    done = install_lava()
    assert (done.version, done.requirements, done.seconds, ran) == ("0.10.0", (), 0.0, [])


def test_without_pip_the_one_of_ensurepip_runs(monkeypatch):
    assert pip_command() == [sys.executable, "-m", "pip"] or find_spec("pip") is None
    monkeypatch.setattr(
        installing, "find_spec", lambda name: None if name == "pip" else find_spec(name)
    )
    python, archive = pip_command()
    done = subprocess.run(
        [python, archive, "--version"], capture_output=True, text=True, timeout=60
    )
    assert python == sys.executable and done.stdout.startswith("pip "), done.stderr
    monkeypatch.setattr(installing, "find_spec", lambda name: None)
    with pytest.raises(TargetError, match="uv pip install pip && neurossm install lava"):
        pip_command()


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        ("WARNING: x\nERROR: No matching distribution found for lava-nc==0.10.0\n",
         "got ERROR: No matching distribution found for lava-nc==0.10.0; see that the package"),
        ("error: externally-managed-environment\n", "python3 -m venv"),
        ("", "got status 1"),
    ],
)  # fmt: skip
def test_what_pip_says_is_one_line(monkeypatch, stderr, said):
    found(monkeypatch, MISSING)
    monkeypatch.setattr(
        installing.subprocess, "run",
        lambda command, **options: subprocess.CompletedProcess(command, 1, "", stderr),
    )  # fmt: skip
    with pytest.raises(TargetError) as caught:
        install_lava()
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_what_is_still_wrong_afterwards_is_an_error(monkeypatch, ran):
    found(monkeypatch, MISSING, MISSING)
    with pytest.raises(TargetError, match="afterwards lava-nc is not installed"):
        install_lava()
