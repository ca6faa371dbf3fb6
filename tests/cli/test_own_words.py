"""What commands say of data of one's own: nothing that is not so, nothing too wide."""

from __future__ import annotations

import csv
from types import SimpleNamespace

import numpy as np
import pytest

from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.interface import Interface
from neurossm.nodes import Affine, Input, Output
from neurossm.store import save
from neurossm_workflows.describing import split_lines
from neurossm_workflows.predicting import writer_of


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with 12 recordings of three unlike channels at 40 steps."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    values = random.normal(100, [[[1, 50, 1e-4]]], (12, 40, 3))
    np.savez("steps.npz", inputs=values, labels=random.normal(size=(12, 40, 4)))
    return tmp_path


@pytest.mark.parametrize(
    ("valid", "test", "by", "said"),
    [
        (0.15, 0.2, "label", ": 0.15 for valid, 0.2 for test; seed 3, each class alike"),
        (0.15, 0.0, "group", ": 0.15 for valid; seed 3, no group torn apart"),
        (0.0, 0.2, "none", ": 0.2 for test; seed 3"),
        (0.0, 0.0, "none", None),
    ],
)
def test_which_parts_are_cut_is_said_where_any_is(valid, test, by, said):
    found = split_lines(f"valid={valid},test={test},seed=3,by={by}")
    front = "missing parts are cut from the training part"
    assert found == ([] if said is None else [front + said])


def test_no_line_of_what_a_file_is_taken_for_is_wide(here, neurossm):
    said = neurossm("data", "show", "steps.npz", "--task", "step-regression").out
    assert "less an offset" in said and "First samples of 'train', to the nearest unit" in said
    assert max(map(len, said.splitlines())) <= 100


def test_more_samples_than_there_are_can_be_had_by_the_remedy(here, neurossm):
    refused = neurossm("data", "show", "digits:test:99999")
    assert refused.status == 2 and "without :99999 all are taken" in refused.err
    assert neurossm("data", "show", "digits:test").status == 0


def test_a_float_run_counts_no_saturations_and_a_comparison_its_values(here, neurossm):
    nodes = {
        "in": Input(channels=3, out=Fixed(12, 4)),
        "mix": Affine(weight=np.eye(3), bias=np.zeros(3)),
        "out": Output(channels=3),
    }
    save("f.nssm", Graph(nodes, (("in", "mix"), ("mix", "out"))))
    np.savez("few.npz", inputs=np.ones((2, 40, 3)), lengths=[40, 25])
    for name in ("a", "b"):
        ran = neurossm("run", "f.nssm", "--engine", "float", "--data", "few.npz", "--trace", name)
        assert "2 samples" in ran.out and "saturations" not in ran.out
    said = neurossm("diff", "a", "b").out
    assert "585 values of 3 nodes compared, 0 mismatches" in said  # 65 steps, 9 channels


@pytest.mark.parametrize(("channels", "scores"), [(64, 64), (65, 1)])
def test_a_line_a_step_of_very_many_classes_has_the_score_of_the_answer(tmp_path, channels, scores):
    graph = Graph(
        {"in": Input(channels=channels, out=Fixed(12, 4)), "out": Output(channels=channels)},
        (("in", "out"),),
    )
    found = np.arange(2 * channels, dtype=float).reshape(1, 2, channels) / 4
    part = SimpleNamespace(labels=np.array([[7, -1]]), lengths=None)
    about = Interface(task="step-classification", readout="every-step")
    with writer_of(tmp_path / "p.csv", about.applied(graph)) as (write,):
        write(0, part, found)
    head, first, second = csv.reader((tmp_path / "p.csv").read_text().splitlines())
    last = channels - 1
    assert first[:4] == ["0", "0", str(last), "7"] and second[:4] == ["0", "1", str(last), ""]
    assert len(head) == len(first) == len(second) == 4 + scores
    assert float(first[-1]) == last / 4 and float(second[-1]) == (2 * channels - 1) / 4
    assert (head[-1] == "score predicted") == (scores == 1)
