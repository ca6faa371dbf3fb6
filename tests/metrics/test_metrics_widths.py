"""Which widths are named where a check fails: those that can be had, and no others."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from neurossm import Quantize, calibrate
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.metrics.check import check
from neurossm.metrics.widths import narrow_widths
from neurossm.nodes import LIF, Affine, DiagonalSSM, Input, Output
from neurossm_workflows.verdict import verdict

INPUTS = np.random.default_rng(0).integers(0, 256, (4, 200, 1))


def network() -> Graph:
    ones = np.ones((1, 2))
    ssm = DiagonalSSM(
        a_re=0.9 * ones, a_im=0.1 * ones, b_re=ones, b_im=0 * ones, c_re=0.3 * ones, c_im=0 * ones,
        d=[0.0], drive_re=0 * ones, drive_im=0 * ones, bias=[0.0], step_size=[1.0], method="zoh",
    )  # fmt: skip
    lif = LIF(theta=[1.0], tau=[1 - 1e-4], rho=[0.0], kappa=[0.0], reset="hard")
    nodes = {"input": Input(channels=1, out=Fixed(9, 8)), "ssm": ssm,
             "fc": Affine(weight=[[0.7]], bias=[0.0]), "lif": lif,
             "output": Output(channels=1)}  # fmt: skip
    names = list(nodes)
    return Graph(nodes, tuple(pairwise(names)))


@pytest.mark.parametrize(
    ("settings", "narrow"),
    [
        ({}, ()),
        ({"pole_bits": 12}, ("poles",)),
        ({"weight_bits": 4, "activation_bits": 12}, ("weights",)),
        ({"activation_bits": 12}, ("messages",)),
        ({"state_bits": 20}, ("state",)),
        ({"leak_bits": 12}, ("leaks",)),  # 1e-4 becomes 0 or 2.4e-4 of 4096
    ],
)
def test_what_is_below_the_most_there_is(settings, narrow):
    graph = network()
    ranges = calibrate(graph, INPUTS)
    assert narrow_widths(graph, Quantize(**settings)(graph, ranges)) == narrow


def test_the_remedy_names_what_can_be_widened():
    graph = network()
    ranges = calibrate(graph, INPUTS)
    coarse = check(graph, Quantize(pole_bits=4)(graph, ranges), INPUTS)
    assert "quantize with more --poles" in verdict(coarse) and "--weights" not in verdict(coarse)
    strict = check(graph, Quantize()(graph, ranges), INPUTS, tolerance=1e-9)
    assert "have all the bits there are" in verdict(strict)
