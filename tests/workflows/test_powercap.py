"""RAPL counters: a folder laid out as Linux does it, wraps, and what cannot be read."""

from pathlib import Path

import pytest

from neurossm_workflows.powercap import Powercap


def counter(root: Path, name: str, kind: str, microjoules: int) -> Path:
    folder = root / name
    folder.mkdir()
    (folder / "name").write_text(f"{kind}\n")
    (folder / "max_energy_range_uj").write_text("262143328850\n")
    (folder / "energy_uj").write_text(f"{microjoules}\n")
    return folder / "energy_uj"


def test_every_readable_domain_is_read_in_joules(tmp_path: Path) -> None:
    package = counter(tmp_path, "intel-rapl:0", "package-0", 5_000_000)
    counter(tmp_path, "intel-rapl:0:0", "dram", 1_000_000)
    found = Powercap.find(tmp_path)
    before = found.read()
    assert before == {"package-0 (0)": 5.0, "dram (0:0)": 1.0}
    package.write_text("7500000\n")
    assert found.since(before) == {"package-0 (0)": 2.5, "dram (0:0)": 0.0}
    assert found.reason == ""


def test_a_counter_that_starts_again_is_noticed(tmp_path: Path) -> None:
    file = counter(tmp_path, "intel-rapl:0", "package-0", 262_143_000_000)
    found = Powercap.find(tmp_path)
    before = found.read()
    file.write_text("1000000\n")
    # up to the end of the range, 0.32885 J, and 1 J more
    assert found.since(before)["package-0 (0)"] == pytest.approx(1.32885)


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    nowhere = Powercap.find(tmp_path / "powercap")
    assert nowhere.domains == () and nowhere.reason.startswith("not available: no ")
    assert "no RAPL counter" in Powercap.find(tmp_path).reason
    counter(tmp_path, "intel-rapl:0", "package-0", 1).unlink()
    assert Powercap.find(tmp_path).reason == (
        "not available: intel-rapl:0: No such file or directory"
    )
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("secret\n")
    assert Powercap.find(tmp_path).reason == "not available: intel-rapl:0: no number"
