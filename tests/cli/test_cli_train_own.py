"""`train FAMILY --data FILE`: one line from a file to a run, and what is wrong in one line."""

from __future__ import annotations

import re

import pytest
import small_sets

from neurossm.interface import Interface
from neurossm.store import load


def test_one_line_trains_on_a_file_and_export_writes_what_it_says(neurossm, tmp_path):
    data = small_sets.write(tmp_path / "mine.npz", "regression")
    sets = [f"--set={item}" for item in (*small_sets.SMALL, "train.epochs=2", "data.bits=10")]
    run = neurossm("train", "spikingssm", "--data", data, "--out", tmp_path / "run", *sets)
    assert run.status == 0, run.err
    assert "data: regression, 1 channel, 1 number per prediction" in run.err
    assert "deprecated" not in run.err
    assert re.search(r"best validation MSE \d\S* in epoch [12]\n", run.out)
    graph = tmp_path / "m.nssm"
    assert neurossm("export", tmp_path / "run", "-o", graph).status == 0
    found = load(graph)
    about = Interface.of(found)
    assert (about.task, about.readout, about.scaling.bits) == ("regression", "mean", 10)
    assert 1.5 < about.target.unit[0] < 2.6 and about.split.startswith("valid=0.15,test=0.15")
    assert found.nodes["input"].out.bits == 11 and found.meta["data"] == "mine.npz"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("binary-s4d",), "expected a name or a path, got neither; --data FILE"),
        (("binary-s4d", "--data", "none.npz"), "none.npz"),
        (("binary-s4", "--data", "none.npz"), "did you mean 'binary-s4d'"),
        (("binary-s4d-digits", "--set", "train.device=cuda:9"), "expected cuda:9, got"),
    ],
)
def test_what_is_wrong_is_one_line_and_status_2(neurossm, tmp_path, arguments, says):
    run = neurossm("train", *arguments, "--out", tmp_path / "run")
    assert run.status == 2 and says in run.err and run.err.count("\n") == 1
    assert not (tmp_path / "run").exists()
