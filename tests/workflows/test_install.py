"""`neurossm install lava`: what is given to pip, from where, and what a failure says."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from neurossm.errors import TargetError
from neurossm_converters.backends.lava import shim
from neurossm_workflows import install
from neurossm_workflows.listener import Listener

USABLE = shim.LavaStatus("0.10.0", "2.3.5", True, False, "", "")
ABSENT = replace(USABLE, version="", problem="lava-nc is not installed", remedy="...")
NEEDS = ["numpy>=1.26", 'scipy>=1.11; extra == "lava"', 'asteval>=0.9.33; extra == "lava"',
         'numpy<2.4; extra == "lava"', 'torch>=2.4; extra == "torch"']  # fmt: skip


class Machine:
    """A machine whose packages are a dictionary; its pip adds to it."""

    def __init__(self, monkeypatch, held: dict[str, str], *, status: int = 0, stderr: str = ""):
        self.held, self.commands, self.pinned = held, [], ""
        self.status, self.stderr = status, stderr
        monkeypatch.setattr(install.metadata, "requires", lambda name: NEEDS)
        monkeypatch.setattr(install.metadata, "version", self.version)
        monkeypatch.setattr(install.subprocess, "run", self.run)
        monkeypatch.setattr(shim, "status", lambda: USABLE if "lava-nc" in held else ABSENT)

    def version(self, name: str) -> str:
        try:
            return self.held[name]
        except KeyError:
            raise install.metadata.PackageNotFoundError(name) from None

    def run(self, command, **_):
        self.commands.append(command)
        if self.status:
            return subprocess.CompletedProcess(command, self.status, "", self.stderr)
        for name, version in (("scipy", "1.17"), ("asteval", "1.0"), ("numpy", "2.3.5")):
            if any(word.startswith(name) for word in command):
                self.held[name] = version
        if "--requirement" in command:
            self.pinned = Path(command[command.index("--requirement") + 1]).read_text()
            self.held["lava-nc"] = "0.10.0"
        return subprocess.CompletedProcess(command, 0, "", "")


def test_it_installs_what_the_extra_lacks_and_the_wheel_with_its_hash(monkeypatch):
    machine, said = Machine(monkeypatch, {"numpy": "2.4.1", "scipy": "1.17"}), []
    found = install.install_lava(Listener(tell=said.append))
    first, second = machine.commands
    assert first[:4] == [sys.executable, "-m", "pip", "install"]
    assert first[-2:] == ["asteval>=0.9.33", "numpy<2.4"]  # 2.4.1 is too new, scipy is there
    assert {"--no-deps", "--ignore-requires-python", "--require-hashes"} <= set(second)
    assert "--no-deps" not in first
    # of the wheel on the package index, computed with sha256sum
    assert machine.pinned == (
        "lava-nc==0.10.0"
        " --hash=sha256:d646723e888a72868dac77d31beee3eef1f540366a8c1a8578a2dc3302470926\n"
    )
    assert found == install.Installed(
        "lava-nc", "0.10.0", ("asteval>=0.9.33", "numpy<2.4", "lava-nc==0.10.0")
    )
    assert len(said) == 2


def test_where_it_is_there_nothing_runs(monkeypatch):
    machine = Machine(monkeypatch, {"lava-nc": "0.10.0"})
    assert install.install_lava().done == () and not machine.commands


def test_the_extra_was_asked_for_where_its_packages_are_there(monkeypatch):
    Machine(monkeypatch, {"numpy": "2.3.5", "scipy": "1.17", "asteval": "1.0"})
    assert install.lava_asked_for()
    Machine(monkeypatch, {"numpy": "2.3.5", "scipy": "1.17"})
    assert not install.lava_asked_for()


def test_without_pip_the_one_that_comes_with_python_installs(monkeypatch, tmp_path):
    held = {"numpy": "2.3.5", "scipy": "1.17", "asteval": "1.0"}
    machine = Machine(monkeypatch, held)
    monkeypatch.setattr(install.importlib.util, "find_spec", lambda name: None)
    bundled = tmp_path / "_bundled" / "pip-24.0-py3-none-any.whl"
    bundled.parent.mkdir()
    bundled.touch()
    monkeypatch.setattr("ensurepip.__file__", str(tmp_path / "__init__.py"))
    install.install_lava()
    assert machine.commands[0][:3] == [sys.executable, str(bundled / "pip"), "install"]
    bundled.unlink()
    del held["lava-nc"]
    with pytest.raises(TargetError, match=r"expected pip, .*'uv pip install pip'"):
        install.install_lava()


def test_a_failure_of_pip_is_one_line_with_its_own_words(monkeypatch):
    stderr = "WARNING: x\nERROR: No matching distribution found for lava-nc==0.10.0\n"
    Machine(monkeypatch, {"numpy": "2.3.5", "scipy": "1", "asteval": "1"}, status=1, stderr=stderr)
    with pytest.raises(TargetError) as error:
        install.install_lava()
    said = str(error.value)
    assert "pip failed: ERROR: No matching distribution found for lava-nc==0.10.0" in said
    assert "pip download --no-deps --ignore-requires-python lava-nc==0.10.0" in said
    assert "\n" not in said
