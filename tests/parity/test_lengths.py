"""Sequences end where they end: a padded batch is its sequences one by one, in every figure."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from float_model import C, float_ssm
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import QUICK, Case, cases
from spiking_block import integers

from neurossm import store
from neurossm.comparison import compare
from neurossm.energy import estimate
from neurossm.engine import padded_inputs, run
from neurossm.engine.narrow import run_narrow
from neurossm.errors import InputError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.hardware import load_hardware
from neurossm.metrics import measure
from neurossm.metrics.check import check
from neurossm.metrics.per_core import per_core
from neurossm.metrics.step_time import step_time
from neurossm.nodes import LIF, Accumulate, Affine, Embedding, Input, Node, Output
from neurossm.placement import place
from neurossm.quantization import Percentiles, Quantize, calibrate
from neurossm.store import Golden
from neurossm.trace import Counts, Trace

LENGTHS = np.array([7, 20, 1, 20, 12])
PADDED = 50
LOIHI2 = load_hardware("loihi2")


def always_firing(frac: int = 0) -> Graph:
    """Return a neuron that a bias of 3 alone brings to its threshold of 5 every second step."""
    nodes: dict[str, Node] = {
        "in": Input(channels=1, out=Fixed.binary()),
        "mix": Affine(weight=integers([[0]]), bias=integers([3], 0, 24), out=Fixed(24)),
        "lif": LIF(theta=integers([5], 0, 24), tau=integers([4096], 12, 14),
                   rho=integers([0], 12, 13), kappa=integers([0], 0, 24), reset="hard"),
        "read": Affine(weight=integers([[1], [-1]]), bias=integers([0, 0], 0, 24), out=Fixed(24)),
        "out": Output(channels=2, out=Fixed(24)),
    }  # fmt: skip
    return Graph(nodes, tuple(pairwise(nodes)))


def biased() -> Graph:
    """Return a float network of tokens whose biases and drives keep it busy without any input."""
    rng = np.random.default_rng(5)
    zero = np.zeros(C)
    nodes: dict[str, Node] = {
        "token": Input(channels=1, out=Fixed(9)),
        "table": Embedding(table=rng.normal(size=(7, C))),
        "ssm": float_ssm(offset=0.7),
        "lif": LIF(theta=np.full(C, 1.5), tau=np.full(C, 0.8), rho=zero, kappa=zero, reset="soft"),
        "mix": Affine(weight=rng.normal(size=(3, C)), bias=rng.normal(size=3)),
        "sum": Accumulate(channels=3, steps=PADDED),
        "out": Output(channels=3),
    }
    return Graph(nodes, tuple(pairwise(nodes)))


def tokens(steps: int) -> np.ndarray:
    """Return the same five sequences, padded with tokens (and what is none) to so many steps."""
    rng = np.random.default_rng(6)
    real = rng.integers(0, 7, (len(LENGTHS), int(LENGTHS.max()), 1))
    more = np.full((len(LENGTHS), steps - real.shape[1], 1), -1)
    found = np.concatenate([real, more], axis=1)
    for row, length in zip(found, LENGTHS, strict=True):
        row[length:] = 5 if steps == real.shape[1] else -1
    return found


@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_a_neuron_that_fires_by_itself_by_hand(engine):
    # membrane 3, 6: spikes at steps 2, 4, 6, ...: of 4 steps 2, of 3 steps 1, of 8 steps 4
    graph = always_firing()
    trace = run(graph, np.zeros((2, 8, 1), int), engine, lengths=[4, 3])
    assert trace.counts["lif"] == Counts(dendrite_updates=7, spikes_in=7, spikes_out=3, axon_out=3)
    assert trace.counts["read"].syn_ops == 6
    assert trace.values["lif"][:, :, 0].tolist() == [[0, 1, 0, 1, 0, 0, 0, 0], [0, 1] + 6 * [0]]
    assert trace.states["lif.u"].tolist() == [[0], [3]]  # after step 4, after step 3
    assert trace.last("out").tolist() == [[1, -1], [0, 0]]
    metrics = measure(graph, trace)
    assert (metrics.steps, metrics.samples) == (3.5, 2)
    assert metrics.spike_rates["lif"] == 3 / 7
    assert metrics.neurobench["Dense"] == 3 * 3.5  # 1 and 2 weights a step
    assert metrics.per_step()["syn_ops"] == 6 / 7


@given(case=cases(), data=st.data())
@settings(QUICK, max_examples=60)
def test_every_engine_equals_its_sequences_alone(case: Case, data: st.DataObject) -> None:
    samples, steps = next(iter(case.inputs.values())).shape[:2]
    lengths = np.array([data.draw(st.integers(1, steps)) for _ in range(samples)])
    for engine in ("reference", "fast"):
        batch = run(case.graph, case.inputs, engine, lengths=lengths)
        totals = {name: Counts() for name in case.graph.nodes}
        for i, length in enumerate(lengths):
            own = {name: array[i : i + 1, :length] for name, array in case.inputs.items()}
            alone = run(case.graph, own, "reference")
            totals = {name: totals[name] + alone.counts[name] for name in totals}
            for name, values in alone.values.items():
                np.testing.assert_array_equal(batch.values[name][i, :length], values[0])
                assert not batch.values[name][i, length:].any()
            for name, state in alone.states.items():
                np.testing.assert_array_equal(batch.states[name][i], state[0])
        assert dict(batch.counts) == totals


def figures(steps: int) -> dict[str, object]:
    """Return every figure that is derived from runs, on sequences padded to so many steps."""
    floating, inputs, lengths = biased(), tokens(steps), LENGTHS
    real = run(floating, inputs, "float", "all", lengths=lengths)
    above = Percentiles(floating, floating.order, 99, int(lengths.sum()))
    above.add(real)
    ranges = calibrate(floating, real, above.result(), above.states())
    integer = Quantize()(floating, ranges)
    trace = run(integer, inputs, "fast", "all", lengths=lengths)
    reference = run(integer, inputs, "reference", "all", lengths=lengths)
    assert dict(reference.counts) == dict(trace.counts)
    metrics, placed = measure(integer, trace), place(integer, LOIHI2)
    cores = per_core(placed, integer, trace)
    checked = check(floating, integer, inputs, lengths)
    arrays, ends = padded_inputs(integer, inputs, lengths)
    narrow = run_narrow(integer, arrays, 8, ends)
    return {
        "ranges": {**ranges.messages, **ranges.percentiles},
        "states": {name: a.tolist() for name, a in {**ranges.states, **ranges.inputs}.items()},
        "state percentiles": {n: a.tolist() for n, a in ranges.state_percentiles.items()},
        "digest": store.graph_digest(integer),
        "metrics": metrics.as_json(),
        "energy": estimate(metrics, integer, LOIHI2).as_json(),
        "cores": cores.as_json(),
        "step time": step_time(placed, cores, LOIHI2).as_json(),
        "per layer": {n: [np.asarray(v).tolist() for v in vars(e).values()]
                      for n, e in checked.per_layer.items()},
        "end to end": {n: [np.asarray(v).tolist() for v in vars(e).values()]
                       for n, e in checked.end_to_end.items()},
        "predictions": checked.predictions,
        "findings": [str(finding) for finding in checked.findings],
        "answers": trace.last("out").tolist(),
        "states at the end": {name: a.tolist() for name, a in trace.states.items()},
        "float answers": real.last("out").tolist(),
        "narrow": [narrow["out"][i, end - 1].tolist() for i, end in enumerate(LENGTHS)],
        "compared": compare(reference, trace, integer.order),
        "golden": [Golden.from_trace(arrays, trace, i) for i in range(len(LENGTHS))],
    }  # fmt: skip


def test_padded_and_unpadded_give_the_same_figures_to_the_digit():
    short, padded = figures(int(LENGTHS.max())), figures(PADDED)
    for name, expected in short.items():
        assert padded[name] == expected, name


def test_figures_of_a_batch_are_those_of_its_sequences_alone():
    floating, inputs = biased(), tokens(PADDED)
    batch = run(floating, inputs, "float", "all", lengths=LENGTHS)
    integer = Quantize()(floating, calibrate(floating, batch))
    whole, placed = run(integer, inputs, "fast", lengths=LENGTHS), place(integer, LOIHI2)
    found, cores = measure(integer, whole), per_core(placed, integer, whole)
    totals, peaks, work = Counts(), {}, 0.0
    for i, length in enumerate(LENGTHS):
        own = inputs[i : i + 1, :length]
        trace = run(integer, own, "fast")
        totals += measure(integer, trace).total
        one = per_core(placed, integer, trace)
        work += length * np.array([one.syn_ops, one.spikes_in, one.axon_out])
        alone = run(floating, own, "float", "all")
        np.testing.assert_allclose(batch.last("out")[i], alone.last("out")[0], rtol=1e-12)
        peaks = {n: np.maximum(peaks.get(n, 0), peak) for n, peak in alone.peaks.items()}
    assert found.total == totals
    batch_work = LENGTHS.sum() * np.array([cores.syn_ops, cores.spikes_in, cores.axon_out])
    np.testing.assert_allclose(batch_work, work, rtol=1e-12)
    assert found.steps == LENGTHS.sum() / 5 == 12
    for name, peak in peaks.items():
        np.testing.assert_allclose(batch.peaks[name], peak, rtol=1e-12, err_msg=name)
    # without lengths the padding is work, and that is what they are for
    counted = measure(integer, run(integer, np.maximum(inputs, 0), "fast", ())).total
    assert counted.syn_ops > 3 * totals.syn_ops


def test_a_trace_keeps_its_lengths_in_a_file(tmp_path):
    trace = run(always_firing(), np.zeros((2, 8, 1), int), "fast", lengths=[4, 3])
    store.save_trace(tmp_path / "t.nssm", trace)
    back = store.load_trace(tmp_path / "t.nssm")
    assert back.lengths.tolist() == [4, 3] and dict(back.counts) == dict(trace.counts)
    whole = run(always_firing(), np.zeros((2, 8, 1), int), "fast", lengths=[8, 8])
    assert whole.lengths is None  # nothing is padded: the file is as it always was


def test_comparing_ends_at_the_ends():
    a = Trace("a", {"out": np.array([[[1], [2], [3]], [[4], [5], [6]]])}, 2, 3)
    b = Trace("b", {"out": np.array([[[1], [2], [9]], [[4], [9], [9]]])}, 2, 3)
    cut = [replace(trace, lengths=np.array([2, 1])) for trace in (a, b)]
    found = compare(*cut, ("out",))
    assert (found.compared, found.mismatches) == (3, 0)
    with pytest.raises(InputError, match="sample 0: expected 2 steps in both, got 3"):
        compare(cut[0], b, ("out",))


@pytest.mark.parametrize("lengths", [[0, 3], [9, 3], [3], [[3, 3]], [3.0, 3.0]])
@pytest.mark.parametrize("engine", ["reference", "fast", "float"])
def test_lengths_that_make_no_sense(engine, lengths):
    with pytest.raises(InputError, match=r"lengths: expected 2 integers from 1 to 8, one for each"):
        run(always_firing(), np.zeros((2, 8, 1), int), engine, lengths=lengths)
