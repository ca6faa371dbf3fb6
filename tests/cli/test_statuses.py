"""A command whose check fails ends with 1, also where all that it wrote looks well."""

import json
from pathlib import Path

import pytest

from neurossm.errors import CheckFailed, InputError
from neurossm_cli import doctor as doctor_module
from neurossm_workflows.parity import Parity

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_demo_ends_with_1_on_a_mismatch(neurossm, tmp_path, monkeypatch):
    parity = Parity(7840, 3, "node 'encoder'", 100.0, 200.0)
    monkeypatch.setattr("neurossm_workflows.parity.check_parity", lambda *given, **more: parity)
    ended = neurossm("demo", "--samples", 2, "--lava-samples", 1, "--out", tmp_path, "--json")
    assert ended.status == 1, ended.err
    document = ended.document
    assert (document["values_compared"], document["mismatches"]) == (7840, 3)
    assert document["first_mismatch"] == "node 'encoder'"
    assert "3 mismatches" in (tmp_path / "report.html").read_text()


def test_doctor_ends_with_1_where_a_part_of_the_core_is_missing(neurossm, monkeypatch):
    known = doctor_module.version
    monkeypatch.setattr(
        doctor_module, "version", lambda name: "" if name == "numba" else known(name)
    )
    ended = neurossm("doctor", "--json")
    (numba,) = [one for one in ended.document["checks"] if one["name"] == "numba"]
    assert ended.status == 1 and ended.document["ok"] is False
    assert not numba["ok"] and numba["remedy"] == "pip install neurossm"


ENDS = {
    "interrupted": (KeyboardInterrupt(), 130, "neurossm: interrupted"),
    "wrong input": (
        InputError("--x", expected="a", got="b"),
        2,
        "neurossm: --x: expected a, got b",
    ),
    "a check that failed": (CheckFailed("x", expected="a"), 1, "neurossm: x: expected a"),
    "a full disk": (OSError(28, "No space left on device"), 2, "neurossm: No space left on device"),
    "a reader that has gone": (BrokenPipeError(), 141, ""),
}


@pytest.mark.parametrize("how", ENDS)
def test_how_a_command_ends_is_its_status(neurossm, monkeypatch, how):
    raised, status, line = ENDS[how]

    def describe(path):
        raise raised

    monkeypatch.setattr("neurossm.store.describe", describe)
    monkeypatch.setattr("neurossm_cli.app._give_up_stdout", lambda: None)
    ended = neurossm("show", ROOT / "hw_tests/golden/ssm.nssm")
    assert ended.status == status, ended
    assert ended.err.startswith(line) and ended.err.count("\n") == bool(line)


def test_torchrun_is_told_the_line_that_it_ends_its_report_with(neurossm, monkeypatch, tmp_path):
    file = tmp_path / "error.json"
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(file))
    ended = neurossm("show", tmp_path / "none.nssm")
    told = json.loads(file.read_text())
    assert told["message"] == ended.err.strip() and told["timestamp"] > 1.7e9
    monkeypatch.setenv("TORCHELASTIC_ERROR_FILE", str(tmp_path / "no" / "error.json"))
    assert neurossm("show", tmp_path / "none.nssm").err == ended.err
