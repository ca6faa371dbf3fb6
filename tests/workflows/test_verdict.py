"""The verdict of a check, in a line."""

from __future__ import annotations

import numpy as np

from neurossm.engine import run
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.metrics.check import check
from neurossm.nodes import LIF, Affine, Input, Output
from neurossm_workflows.verdict import verdict


def test_a_check_without_a_spike_says_so():
    one = np.ones(1)
    lif = LIF(theta=5 * one, tau=0.5 * one, rho=0 * one, kappa=0 * one, reset="hard")
    nodes = {"in": Input(channels=1, out=Fixed(9, 8)), "fc": Affine(weight=[[1.0]], bias=[0.0]),
             "lif": lif, "out": Output(channels=1)}  # fmt: skip
    floating = Graph(nodes, (("in", "fc"), ("fc", "lif"), ("lif", "out")))
    from neurossm.quantization import Quantize, calibrate

    inputs = np.full((2, 20, 1), 100)
    integer = Quantize()(floating, calibrate(floating, run(floating, inputs, "float")))
    found = check(floating, integer, inputs)
    assert found.passed and "no neuron spikes on these data" in verdict(found)
