"""Convolutions on the chip: words as in published tables, counts of a run, what it says of them."""

from __future__ import annotations

import numpy as np
import pytest

from neurossm.engine import run
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.hardware import load_hardware
from neurossm.metrics import measure
from neurossm.metrics.per_core import per_core
from neurossm.nodes import LIF, Conv2d, Input, Output
from neurossm.nodes.windows import Windows
from neurossm.placement import place
from neurossm.placement.sharing import Sharing
from neurossm.quantization import Quantize, calibrate

ONE = np.ones(2, np.int64)


def convolution(ins: int, outs: int, size: int, kernel: int, stride: int = 1) -> Windows:
    """A convolution over size x size that is padded to keep that size."""
    pad = kernel // 2
    return Windows((ins, size, size), outs, (kernel, kernel), (stride, stride), (pad, pad),
                   (1, 1), 1)  # fmt: skip


@pytest.mark.parametrize(
    ("ins", "filters", "kernel", "words"),
    [
        (3, 24, 3, 81),  # PilotNet's first layer on each of its 25 cores
        (3, 16, 3, 54),  # YOLO-KP: 0.34 % of 16,000
        (16, 32, 3, 576),  # 3.60 %
        (512, 48, 1, 3072),  # 19.20 %
    ],
)
def test_kernels_take_the_words_of_the_published_tables(ins, filters, kernel, words):
    sharing = Sharing(convolution(ins, filters, 8, kernel))
    assert sharing.words(0, filters * 64, 8) == words
    assert sharing.words(5, 6, 8) == ins * kernel**2  # one neuron: a word an element


def test_a_slice_keeps_the_kernels_of_its_filters():
    """4 positions a filter: neurons 3 to 8 belong to filters 0 to 2."""
    sharing = Sharing(Windows((2, 2, 2), 20, (1, 1), (1, 1), (0, 0), (1, 1), 1))
    assert sharing.words(3, 9, 2) == 2 * 2  # 3 filters, two a word, 2 elements
    assert sharing.words(4, 8, 2) == 2
    assert sharing.most_words(2, 1) == 2 * 2  # neurons 3 and 4: two filters
    for neurons in range(1, 81):
        worst = max(sharing.words(first, first + neurons, 8) for first in range(81 - neurons))
        assert worst <= sharing.most_words(neurons, 8)


def test_groups_keep_what_they_see_and_reach_their_own():
    sharing = Sharing(Windows((4, 2, 1), 6, (2, 1), (1, 1), (0, 0), (1, 1), 2))
    assert sharing.words(0, 6, 8) == 2 * (2 * 2)  # two groups, 2 channels of 2 elements each
    assert sharing.words(0, 3, 8) == 4
    first, last = sharing.reached()
    assert first.tolist() == [0] * 4 + [3] * 4 and last.tolist() == [2] * 4 + [5] * 4


def front_end() -> tuple[Graph, dict[str, np.ndarray]]:
    rng = np.random.default_rng(0)
    channels = 16 * 18 * 18
    zeros = np.zeros(channels)
    conv = Conv2d(
        weight=rng.standard_normal((16, 2, 3, 3)), bias=np.zeros(16),
        in_shape=np.array([2, 18, 18]), stride=ONE, padding=ONE, dilation=ONE,
    )  # fmt: skip
    nodes = {
        "events": Input(channels=648, out=Fixed.binary()), "conv": conv,
        "lif": LIF(theta=zeros + 2, tau=zeros + 0.8, rho=zeros, kappa=zeros, reset="hard"),
        "pool": Conv2d.sum_pool((16, 18, 18), (2, 2), (2, 2)), "out": Output(channels=1296),
    }  # fmt: skip
    edges = (("events", "conv"), ("conv", "lif"), ("lif", "pool"), ("pool", "out"))
    graph = Graph(nodes, edges, meta={"steps": 10})
    given = {"events": (rng.random((2, 10, 648)) < 0.1).astype(np.int64)}
    return Quantize()(graph, calibrate(graph, run(graph, given, "float"))), given


def test_a_front_end_is_placed_with_its_kernels_shared_and_counts_what_a_run_counts():
    graph, given = front_end()
    placed = place(graph, load_hardware("loihi2"))
    assert any("kernels of its filters once" in text for text in placed.assumptions)
    neurons = placed.slices_of["lif"]
    assert [part.neurons for part, _ in neurons] == [1728] * 3  # of 6 of the 16 filters each
    for part, position in neurons:
        core = placed.cores[position]
        words = placed.populations["lif"].words(part.first, part.stop, placed.budget)
        assert words.synapse == 18 and words.axon_in == 2  # 2 x 9 elements, 8 weights a word
        assert core.synapse_words >= 18
    trace = run(graph, given, "fast", "all")
    activity = per_core(placed, graph, trace)
    counted = sum(counts.syn_ops for counts in measure(graph, trace).nodes.values())
    steps = trace.samples * trace.steps
    # each position of the pooled map is read by the host: one synapse each
    read = np.count_nonzero(trace.values["pool"])
    assert activity.syn_ops[0].sum() * steps == pytest.approx(counted + read)
    # an event reaches all three cores that have filters
    events = np.count_nonzero(trace.values["events"])
    cores = [position for _, position in neurons]
    assert activity.spikes_in[0][cores].sum() * steps == pytest.approx(3 * events)
