"""Networks of other tools on recordings of one's own: real numbers, lengths, several channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neurossm.engine import run
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.interface import Interface
from neurossm.nodes import Affine, Input, Output
from neurossm.store import load, save

SNNTORCH = Path(__file__).parents[1] / "fixtures/nir/snntorch-leaky-subtract.nir"
IMPORT = ("import", SNNTORCH, "-o", "n.nssm", "--convention", "snntorch", "--dt", "1e-3")
SAMPLES, STEPS = 12, 30


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(4)
    values = np.clip(0.5 * random.normal(size=(SAMPLES, STEPS, 4)), -1.5, 1.5)
    lengths = random.integers(8, STEPS + 1, SAMPLES)
    np.savez("rec.npz", inputs=values.astype(np.float32), lengths=lengths, dt=0.001,
             labels=random.integers(0, 6, SAMPLES))  # fmt: skip
    return tmp_path


def test_real_recordings_on_an_imported_network(here, neurossm):
    assert neurossm(*IMPORT, "--reset", "subtract", "--input", "12:10").status == 0
    made = neurossm("quantize", "n.nssm", "--calibrate", "rec.npz", "-o", "q.nssm")
    assert made.status == 0 and "real numbers, divided by 0.000976562, the unit" in made.err
    for command in ("run q.nssm --data rec.npz", "diff n.nssm q.nssm --data rec.npz",
                    "profile q.nssm --data rec.npz --float n.nssm", "place q.nssm --data rec.npz",
                    "golden q.nssm -o g.nssm --data rec.npz"):  # fmt: skip
        assert neurossm(*command.split()).status == 0, command
    # spikes are counted to each sequence's own end, on the integers that the unit makes
    neurossm("run", "q.nssm", "--data", "rec.npz", "--predictions", "p.npz")
    given, graph = np.load("rec.npz"), load("q.nssm")
    integers = np.rint(given["inputs"].astype(float) * 1024).astype(int)
    sent = run(graph, integers, "reference", lengths=given["lengths"]).values["output"]
    np.testing.assert_array_equal(np.load("p.npz")["answers"], sent.sum(axis=1))


def test_values_beyond_the_format_of_the_input_saturate_and_are_counted(here, neurossm):
    assert neurossm(*IMPORT, "--reset", "subtract", "--input", "8:7").status == 0
    given = np.load("rec.npz")
    valid = np.arange(STEPS) < given["lengths"][:, None]
    beyond = np.count_nonzero(np.abs(np.rint(given["inputs"][valid] * 128)) > 127)
    made = neurossm("quantize", "n.nssm", "--calibrate", "rec.npz", "-o", "q.nssm", "--json")
    assert made.document["clipped_inputs"] == beyond > 0
    assert f"{beyond} of {4 * valid.sum():,} input values" in made.err


def test_real_numbers_are_no_spikes(here, neurossm):
    assert neurossm(*IMPORT, "--reset", "subtract").status == 0
    refused = neurossm("quantize", "n.nssm", "--calibrate", "rec.npz", "-o", "q.nssm")
    assert refused.status == 2 and refused.err.count("\n") == 1
    assert "for an input of spikes" in refused.err and "--input 12:10" in refused.err
    followed = neurossm(*IMPORT, "--reset", "subtract", "--input", "12:10")
    assert followed.status == 0
    made = neurossm("quantize", "n.nssm", "--calibrate", "rec.npz", "-o", "q.nssm")
    assert made.status == 0


def test_what_an_imported_network_answers_is_said_at_import(here, neurossm):
    made = neurossm(*IMPORT, "--reset", "subtract", "--input", "12:10", "--task", "multilabel",
                    "--readout", "max")  # fmt: skip
    assert made.status == 0
    about = Interface.of(load("n.nssm"))
    assert (about.task, about.readout) == ("multilabel", "max")
    for options, said in ((("--task", "guess"), "--task: expected classification"),
                          (("--readout", "mean"), "--readout: expected last"),
                          (("--task", "next-step", "--readout", "max"), "every-step for a next")
                          ):  # fmt: skip
        refused = neurossm(*IMPORT, *options)
        assert refused.status == 2 and said in refused.err


def test_whole_numbers_are_in_the_unit_of_the_input_and_that_is_said(here, neurossm):
    nodes = {"in": Input(channels=1, out=Fixed(9, 2)),
             "fc": Affine(weight=np.array([[1.0], [-1.0]]), bias=np.array([0.0, 5.0])),
             "out": Output(channels=2)}  # fmt: skip
    save("g.nssm", Graph(nodes, (("in", "fc"), ("fc", "out"))))
    for values, expected, said in (
        (np.array([8, 20]), [2, 5], ""),  # integers: in quarters
        (np.array([8.0, 20.0]), [2, 5], "all its real numbers are whole: taken as integers"),
        (np.array([8.0, 20.3]), [8, 20.25], "real numbers, divided by 0.25, the unit of the"),
    ):
        np.savez("v.npz", inputs=values.reshape(2, 1, 1))
        ran = neurossm("run", "g.nssm", "--engine", "float", "--data", "v.npz", "--predictions",
                       "p.npz")  # fmt: skip
        assert ran.status == 0 and said in ran.err and bool(said) == bool(ran.err)
        np.testing.assert_array_equal(np.load("p.npz")["answers"][:, 0], expected)
