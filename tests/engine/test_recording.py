"""The integer that records, by hand on small nodes, and against closed forms on all of them."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from random_graphs import QUICK, Case, cases
from small_networks import NAMES
from spiking_block import integers

from neurossm.engine import reference
from neurossm.engine.inputs import check_inputs
from neurossm.engine.recording import Elementary, Recording, Tally, record_operations
from neurossm.errors import GraphError
from neurossm.fixed import Fixed, saturate, shift
from neurossm.graph import Graph
from neurossm.metrics import GROUPS, check_multiplications, measure, multiplications
from neurossm.metrics.multiplications import per_step
from neurossm.nodes import (
    LIF,
    Accumulate,
    Affine,
    DiagonalSSM,
    Embedding,
    Input,
    Node,
    Output,
    PiecewiseLinear,
    Product,
    Step,
    Sum,
    TernaryThreshold,
    Threshold,
)

WIDE = Fixed(24)
BITS = {"binary": Fixed.binary(), "ternary": Fixed.ternary(), "graded": WIDE}


def operations(node: Node, *arriving: list[list[int]], kind: str = "graded") -> Elementary:
    """Return what a node does with inputs ``(T, C)``, one list an edge."""
    names = [f"in{k}" for k in range(len(arriving))]
    nodes = {n: Input(channels=len(rows[0]), out=BITS[kind])
             for n, rows in zip(names, arriving, strict=True)}  # fmt: skip
    nodes |= {"node": node, "out": Output(channels=node.out_channels, out=node.out)}
    graph = Graph(nodes, (*((name, "node") for name in names), ("node", "out")))
    inputs = {n: np.array([rows]) for n, rows in zip(names, arriving, strict=True)}
    return record_operations(graph, check_inputs(graph, inputs))[0]["node"]


def affine(weight: list[list[int]]) -> Affine:
    return Affine(weight=integers(weight), bias=integers([0] * len(weight), 0, 24), out=WIDE)


def test_a_spike_adds_the_weights_that_it_selects_and_multiplies_nothing() -> None:
    # step 0: both spike, weights 3, 2 and -5; step 1: none. Biases of two, two ends to saturate
    node = affine([[3, 2], [0, -5]])
    assert operations(node, [[1, 1], [0, 0]], kind="binary") == Elementary(
        additions=3 + 2 * 2, comparisons=2 * 2 * 2
    )
    # of a signed spike the sign is asked for, above and below 0
    assert operations(node, [[1, -1], [0, 0]], kind="ternary") == Elementary(
        additions=3 + 2 * 2, comparisons=2 * 2 * 2 + 2 * 2
    )


def test_a_graded_message_multiplies_the_weights_that_are_there() -> None:
    found = operations(affine([[3, 2], [0, -5]]), [[7, 9], [0, 4]])
    # 7 meets 3; 9 and 4 meet 2 and -5; the three by 2 or its like: 2 and 2
    assert found == Elementary(multiplications=5, trivial=2, additions=5 + 4, comparisons=8)


def test_ternary_weights_shift_and_add_a_graded_message() -> None:
    found = operations(affine([[4, -4], [0, 4]]), [[7, 9], [0, 4]])
    # three messages are shifted, once each for all their synapses
    assert found == Elementary(additions=5 + 4, shifts=3, comparisons=8)


def ssm(modes: int) -> DiagonalSSM:
    def parts(first: int, frac: object, bits: int = 8) -> object:
        return integers([[first] * modes], frac, bits)

    drive = parts(0, [0], 24)
    return DiagonalSSM(
        a_re=parts(3, 15, 16), a_im=parts(4, 15, 16), b_re=parts(2, [0]), b_im=parts(0, [0]),
        c_re=parts(5, [0]), c_im=parts(-8, [0]), d=integers([3], [0]), drive_re=drive,
        drive_im=drive, bias=integers([0], 0, 24), step_size=[0.1], method="zoh", out=WIDE,
    )  # fmt: skip


def test_a_state_multiplies_eight_times_whatever_arrives() -> None:
    silent, busy = (operations(ssm(3), [[value], [value]]) for value in (0, 9))
    assert silent == busy
    # a state: 4 products with poles, 2 with b, 2 with c; trivial: both a_im (4), b_re, b_im, c_im;
    # sums: 3 in each part, one of both parts of the readout, those of the modes, d and bias
    assert silent == Elementary(
        multiplications=2 * (3 * 8 + 1),
        trivial=2 * 3 * (2 + 2 + 1),
        additions=2 * (3 * (3 + 3 + 1) + 2 + 2),
        shifts=2 * (3 * 8 + 1),
        comparisons=2 * (3 * 2 * 2 + 2),
    )


def lif(reset: str, kappa: int) -> LIF:
    return LIF(
        theta=integers([3], 0, 24), tau=integers([3000], 12, 13), rho=integers([2048], 12, 13),
        kappa=integers([kappa], 0, 24), reset=reset,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("reset", "kappa", "step"),
    [
        # the leak and its shift, that of what arrives, one sum, both ends, the threshold
        ("none", 0, Elementary(multiplications=1, additions=1, shifts=2, comparisons=3)),
        ("hard", 0, Elementary(multiplications=1, additions=1, shifts=2, comparisons=3)),
        ("soft", 0, Elementary(multiplications=1, additions=2, shifts=2, comparisons=3)),
        # the trace: another leak, by a half; subtracted from the membrane, a spike added
        ("soft", 2, Elementary(multiplications=2, trivial=1, additions=4, shifts=3, comparisons=5)),
    ],
)
def test_a_spiking_neuron_multiplies_by_its_leaks_only(reset, kappa, step) -> None:
    silent, busy = (operations(lif(reset, kappa), [[value]] * 3) for value in (0, 5))
    assert silent == busy == step + step + step


def test_gates_multiply_once_a_channel_and_the_rest_never() -> None:
    segments = PiecewiseLinear(
        function="relu", max_error=0.0, channels=2, knots=integers([-3, 0], 0, 24),
        slopes=integers([0, 3, 5], 0, 8), offsets=integers([0, 0, 0], 0, 24), out=WIDE,
    )  # fmt: skip
    found = operations(segments, [[1, -9]])
    # two knots each; one of the two is left of all knots, where the slope is 0
    assert found == Elementary(
        multiplications=2, trivial=1, additions=2, shifts=2, comparisons=2 * 2 + 2 * 2
    )
    pair = ([[2, 3]], [[4, 5]])
    assert operations(Product(channels=2, out=WIDE), *pair) == Elementary(
        multiplications=2, shifts=2, comparisons=4
    )
    assert operations(Sum(channels=2, out=WIDE), *pair) == Elementary(
        additions=2, shifts=4, comparisons=4
    )
    total = Accumulate(channels=2, steps=4, term_bits=12, out=WIDE)
    assert operations(total, [[2, 3]]) == Elementary(additions=2, shifts=2, comparisons=8)
    above = Threshold(theta=integers([3, 3], 0, 24))
    assert operations(above, *pair) == Elementary(additions=2, comparisons=4 + 2)
    signed = TernaryThreshold(delta=integers([3, 3], 0, 24))
    assert operations(signed, [[2, 3]]) == Elementary(comparisons=4)


def test_a_token_looks_up_and_computes_nothing() -> None:
    nodes = {
        "token": Input(channels=1, out=Fixed(4)),
        "row": Embedding(table=integers([[4, 1], [3, 2]]), out=Fixed(8)),
        "out": Output(channels=2, out=Fixed(8)),
    }
    graph = Graph(nodes, (("token", "row"), ("row", "out")))
    found, _ = record_operations(graph, {"token": np.array([[[1], [0]]])})
    assert set(found.values()) == {Elementary()}


@settings(QUICK, max_examples=40)
@given(case=cases())
def test_closed_forms_are_what_is_recorded_on_random_graphs(case: Case) -> None:
    inputs = check_inputs(case.graph, case.inputs)
    found = check_multiplications(case.graph, inputs)
    assert found.differing == ()
    trace = reference.run(case.graph, inputs, case.graph.order)
    own, recorded = record_operations(case.graph, inputs)
    assert dict(found.nodes) == own
    assert dict(recorded.counts) == dict(trace.counts)
    for name in case.graph.outputs:  # what is watched computes the same
        assert np.array_equal(recorded.values[name], trace.values[name])
    stated = multiplications(case.graph, measure(case.graph, trace))
    everything = sum(stated.total(group) for group in GROUPS)
    assert everything == sum(done.multiplications for done in own.values())
    for name in stated.synapses:  # as many additions as synaptic operations, and the biases
        node = case.graph.nodes[name]
        if isinstance(node, Affine):
            biases = node.out_channels * trace.samples * trace.steps
            assert own[name].additions == trace.counts[name].syn_ops + biases


def test_the_check_finds_a_step_that_multiplies_by_its_spikes(monkeypatch) -> None:
    node = affine([[3, 2], [0, -5]])
    graph = Graph(
        {"in": Input(channels=2, out=Fixed.binary()), "node": node,
         "out": Output(channels=2, out=WIDE)},
        (("in", "node"), ("node", "out")),
    )  # fmt: skip
    inputs = {"in": np.array([[[1, 1]]])}
    assert check_multiplications(graph, inputs).differing == ()

    def product(node: Affine, step: Step) -> np.ndarray:
        u = step.operands[0]
        return step.saturate((node.weight.values * u[:, None, :]).sum(axis=2), 24)

    monkeypatch.setattr(Affine, "step", product)
    assert check_multiplications(graph, inputs).differing == ("node",)


def test_what_the_array_does_not_know_is_refused() -> None:
    array = Recording.of(np.array([3, 4]), Tally())
    for unknown in (np.matmul, np.hypot):
        with pytest.raises(TypeError, match=r"^(matmul|hypot)$"):
            unknown(array, array)
    with pytest.raises(TypeError, match=r"^searchsorted$"):
        np.searchsorted(np.array([1, 2]), array)
    assert array.tally.done == Elementary()
    shifted, (clipped, count) = shift(array, 1), saturate(array, 3)
    assert (shifted.tolist(), clipped.tolist(), count) == ([1, 2], [3, 3], 1)
    assert array.tally.done == Elementary(shifts=2, comparisons=4)


@pytest.mark.parametrize("family", NAMES)
def test_a_network_of_each_family_multiplies_where_it_is_said_to(family: str) -> None:
    from small_networks import network

    from neurossm.engine import run
    from neurossm.quantization import Quantize, calibrate
    from neurossm_converters.formats.torch import from_torch

    pixels = np.random.default_rng(0).integers(0, 256, (2, 12, 2))
    graph = from_torch(network(family), steps=12, scale=1 / 255)
    integer = Quantize()(graph, calibrate(graph, run(graph, pixels, "float", "outputs")))
    assert check_multiplications(integer, check_inputs(integer, pixels)).differing == ()
    stated = multiplications(integer, measure(integer, run(integer, pixels, "fast")))
    # 2 layers of 6 channels with 2 states kept (state 4), 24 times a step
    ssms = [name for name, node in integer.nodes.items() if isinstance(node, DiagonalSSM)]
    modes = integer.nodes[ssms[0]].modes
    for name in ssms:
        assert stated.recurrence[name] == 6 * (8 * modes + 1) * 2 * 12
    mixing = [name for name, node in integer.nodes.items() if isinstance(node, Affine)
              and integer.nodes[integer.sources[name][0]].out.is_spike]  # fmt: skip
    assert mixing and set(mixing) <= set(stated.only_add)
    assert bool(stated.gates) == (family not in ("prf", "d-rf"))
    assert all(per_step(integer)[name] == 6 for name in stated.gates)


def test_counts_add_up() -> None:
    one = Elementary(1, 1, 2, 3, 4)
    assert one + one == replace(one, multiplications=2, trivial=2, additions=4, shifts=6,
                                comparisons=8)  # fmt: skip
    assert one.as_json()["shifts"] == 3


def test_clipping_is_a_comparison_with_either_end() -> None:
    tally = Tally()
    found = np.clip(Recording.of(np.array([-9, 3, 9]), tally), -4, 4)
    assert found.tolist() == [-4, 3, 4] and tally.done == Elementary(comparisons=6)
    np.maximum(Recording.of(np.array([1, 2]), tally), 0)
    assert tally.done == Elementary(comparisons=8)


def test_a_step_that_nobody_can_count_is_refused_by_the_name_of_its_node(monkeypatch) -> None:
    def step(self: Threshold, at: reference.Step) -> np.ndarray:
        return np.asarray(np.hypot(at.u, 1) > 1, np.int64)

    monkeypatch.setattr(Threshold, "step", step)
    node = Threshold(theta=integers([1, 2], 0, 24))
    graph = Graph(
        {"x": Input(channels=2, out=Fixed(8)), "fire": node, "y": Output(channels=2, out=node.out)},
        (("x", "fire"), ("fire", "y")),
    )
    with pytest.raises(GraphError, match=r"node 'fire' \(Threshold\): .* got hypot; write it with"):
        record_operations(graph, {"x": np.zeros((1, 2, 2), np.int64)})
