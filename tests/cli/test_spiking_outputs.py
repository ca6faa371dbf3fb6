"""Networks whose output spikes: answered by counts, compared in their own units."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import LIF, Affine, Input, Output
from neurossm.store import save


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    # two neurons that copy their input's spikes, in units that differ by channel
    lif = LIF(theta=[1.0, 1000.0], tau=[0.5, 0.999], rho=[0.0] * 2, kappa=[0.0] * 2, reset="hard")
    nodes = {"in": Input(channels=2, out=Fixed.binary()),
             "fc": Affine(weight=[[1.5, 0.0], [0.0, 1500.0]], bias=[0.0, 0.0]), "lif": lif,
             "out": Output(channels=2)}  # fmt: skip
    save("n.nssm", Graph(nodes, (("in", "fc"), ("fc", "lif"), ("lif", "out"))))
    inputs = np.zeros((2, 10, 2), np.int64)
    inputs[0, :8, 0] = inputs[1, :8, 1] = 1  # eight spikes of the class
    inputs[0, 9, 1] = inputs[1, 9, 0] = 1  # one of the other, at the last step
    np.savez("mine.npz", inputs=inputs, labels=[0, 1])
    return tmp_path


def test_spikes_are_counted_and_not_read_at_the_last_step(here, neurossm):
    assert neurossm("quantize", "n.nssm", "-o", "i.nssm", "--calibrate", "mine.npz").status == 0
    for graph in ("n.nssm", "i.nssm"):
        engine = "float" if graph == "n.nssm" else "fast"
        ran = neurossm("run", graph, "--engine", engine, "--data", "mine.npz", "--json")
        assert ran.document["accuracy"] == 1.0
    # units by channel are compared channel by channel
    assert neurossm("diff", "i.nssm", "i.nssm", "--data", "mine.npz").status == 0


def test_accuracy_is_that_of_the_labeled(here, neurossm):
    neurossm("quantize", "n.nssm", "-o", "i.nssm", "--calibrate", "mine.npz")
    given = np.load("mine.npz")
    np.savez("half.npz", inputs=given["inputs"], labels=[0, -1])
    said = neurossm("run", "i.nssm", "--data", "half.npz").out
    assert "accuracy 100.00% (" in said and ") of 1 labeled on 2 samples" in said
    np.savez("other.npz", inputs=given["inputs"], labels=[0, 5])
    assert neurossm("quantize", "n.nssm", "-o", "o.nssm", "--calibrate", "other.npz").status == 0
    refused = neurossm("run", "i.nssm", "--data", "other.npz")
    assert refused.status == 2 and "leave labels out of the file" in refused.err


def test_a_threshold_of_nothing_is_no_loss(here, neurossm):
    least = np.nextafter(0.0, 1.0)  # spikes above 0, as other tools write it
    lif = LIF(theta=[least] * 2, tau=[0.5] * 2, rho=[0.0] * 2, kappa=[0.0] * 2, reset="hard")
    nodes = {"in": Input(channels=2, out=Fixed.binary()),
             "fc": Affine(weight=np.eye(2), bias=[0.0, 0.0]), "lif": lif,
             "out": Output(channels=2)}  # fmt: skip
    save("z.nssm", Graph(nodes, (("in", "fc"), ("fc", "lif"), ("lif", "out"))))
    made = neurossm("quantize", "z.nssm", "-o", "zi.nssm", "--calibrate", "mine.npz", "--json")
    assert made.status == 0 and made.document["losses"] == []
    # it spikes at each of the 18 inputs, and at every step while anything is left
    compared = neurossm("diff", "z.nssm", "zi.nssm", "--data", "mine.npz", "--json")
    assert compared.status == 0


def test_the_rounding_of_a_bias_is_said(here, neurossm):
    nodes = {"in": Input(channels=1, out=Fixed.binary()),
             "fc": Affine(weight=[[1.0]], bias=[-0.05]),
             "out": Output(channels=1)}  # fmt: skip
    save("b.nssm", Graph(nodes, (("in", "fc"), ("fc", "out"))))
    np.savez("one.npz", inputs=np.ones((2, 4, 1), np.int64))
    made = neurossm("quantize", "b.nssm", "-o", "bi.nssm", "--calibrate", "one.npz", "--json")
    row = next(row for row in made.document["choices"] if row["what"] == "bias")
    assert row["error"] == pytest.approx(0.05 - 3 / 64)  # in 64ths, as the weight 1 is 64 / 64
