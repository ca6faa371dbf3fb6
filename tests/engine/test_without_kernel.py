"""A node of which the engines know nothing but its own step: the same bits, states and counters."""

import numpy as np
import pytest
from spiking_block import integers

from neurossm import Stepper
from neurossm.counts import Counts
from neurossm.engine import run
from neurossm.engine.recording import Elementary, record_operations
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import LIF, Affine, Input, Node, Output
from neurossm.nodes.node import format_of, node
from neurossm.nodes.parameter import parameter
from neurossm.nodes.values import Array
from neurossm.nodes.values import integers as mantissas
from neurossm.trace import Trace

RNG = np.random.default_rng(8)
C, SAMPLES, STEPS = 3, 5, 40
LENGTHS = np.array([40, 1, 17, 40, 39])


@node
class Chase(Node):
    """``x' = sat10(x + gain u)``, sends ``sat(x' - u_{t-2})``."""

    gain: Array = parameter("C")

    @property
    def in_channels(self):
        return self.gain.shape[0]

    def state_parts(self):
        return {"x": (self.in_channels,), "past": (2, self.in_channels)}

    def step(self, at):
        u, past = at.u, at.state["past"]
        at.state["x"] = at.saturate(at.state["x"] + mantissas(self.gain) * u, 10)
        at.state["past"] = np.stack([u, past[:, 0]], axis=1)
        at.count(syn_ops=2 * u.size, synaptic_multiplies=u.size)
        return at.saturate(at.state["x"] - past[:, 1], format_of(self).bits)


def recurrence(u, gain):
    """Return what `Chase` sends, its states at the ends and how much saturates, by itself."""
    sent, x, saturations = np.zeros_like(u), np.zeros_like(u[:, 0]), 0
    padded = np.concatenate([np.zeros_like(u[:, :2]), u], axis=1)
    for t in range(u.shape[1]):
        here = t < LENGTHS
        raw = x + gain * u[:, t]
        x = np.where(here[:, None], np.minimum(np.maximum(raw, -511), 511), x)
        saturations += np.sum(np.abs(raw[here]) > 511)
        raw = x - padded[:, t]
        sent[here, t] = np.minimum(np.maximum(raw, -511), 511)[here]
        saturations += np.sum(np.abs(raw[here]) > 511)
    past = np.stack([padded[range(len(u)), LENGTHS + 1 - k] for k in range(2)], axis=1)
    return sent, x, past, saturations


def graph() -> Graph:
    """Return two such nodes, one behind two edges, one behind spikes, other nodes between."""
    wide, narrow = Fixed(24), Fixed(10)
    leaks = {name: integers([leak] * C, 12, 16) for name, leak in (("tau", 3000), ("rho", 0))}
    theta, kappa = integers([40, 90, 200], 0, 24), integers([0] * C, 0, 24)
    nodes = {
        "a": Input(channels=C, out=wide), "first": Chase(gain=integers([1, -2, 3]), out=narrow),
        "b": Input(channels=C, out=wide),
        "mix": Affine(weight=integers(RNG.integers(-9, 10, (C, C))), bias=integers([0] * C, 0, 24),
                      out=wide),
        "lif": LIF(theta=theta, **leaks, kappa=kappa, reset="soft"),
        "second": Chase(gain=integers([50, 60, 70]), out=narrow),
        "out": Output(channels=C, out=narrow), "spikes": Output(channels=C, out=Fixed.binary()),
        "late": Input(channels=C, out=narrow),  # in order behind the first state
    }  # fmt: skip
    edges = (("a", "first"), ("b", "first"), ("first", "mix"), ("mix", "lif"), ("late", "mix"),
             ("lif", "second"), ("second", "out"), ("lif", "spikes"))  # fmt: skip
    return Graph(nodes, edges)


GRAPH = graph()
INPUTS = {name: RNG.integers(-60, 61, (SAMPLES, STEPS, C)) for name in ("a", "b", "late")}
INPUTS["a"][0, 3, 0] = INPUTS["b"][0, 3, 0] = 2**23 - 1  # their sum saturates on entry
INPUTS = {
    name: np.where(np.arange(STEPS)[:, None] < LENGTHS[:, None, None], array, 0)
    for name, array in INPUTS.items()
}


def assert_same(left: Trace, right: Trace) -> None:
    assert left.values.keys() == right.values.keys()
    for name, value in left.values.items():
        np.testing.assert_array_equal(value, right.values[name], err_msg=name)
    assert left.states.keys() == right.states.keys()
    for name, state in left.states.items():
        np.testing.assert_array_equal(state, right.states[name], err_msg=name)
    assert dict(left.counts) == dict(right.counts)


def test_the_reference_runs_it_by_its_step_to_the_end_of_each_sequence():
    trace = run(GRAPH, INPUTS, "reference", lengths=LENGTHS)
    limit = 2**23 - 1
    u = np.minimum(np.maximum(INPUTS["a"] + INPUTS["b"], -limit), limit)
    sent, x, past, saturations = recurrence(u, np.array([1, -2, 3]))
    np.testing.assert_array_equal(trace.values["first"], sent)
    np.testing.assert_array_equal(trace.states["first.x"], x)
    np.testing.assert_array_equal(trace.states["first.past"], past)
    updates, fired = int(LENGTHS.sum()) * C, int(np.count_nonzero(sent))
    assert saturations > 20  # and one on entry
    assert trace.counts["first"] == Counts(
        syn_ops=2 * updates, synaptic_multiplies=updates, dendrite_updates=updates,
        spikes_in=sum(np.count_nonzero(INPUTS[name]) for name in "ab"), axon_out=fired,
        spikes_out=fired, saturations=saturations + 1,
    )  # fmt: skip
    assert 0 < trace.counts["lif"].spikes_out < LENGTHS.sum() * C
    assert trace.counts["second"].saturations > 5


@pytest.mark.parametrize("lengths", [None, LENGTHS], ids=["alike", "unlike"])
def test_the_fast_engine_runs_it(lengths):
    expected = run(GRAPH, INPUTS, "reference", lengths=lengths)
    assert_same(run(GRAPH, INPUTS, "fast", lengths=lengths), expected)


def test_the_stepper_runs_it_between_compiled_steps_and_starts_anew():
    expected = run(GRAPH, INPUTS, "reference")
    stream = Stepper(GRAPH, samples=SAMPLES, record="all")
    for _ in range(2):
        for t in range(STEPS):
            stream.step({name: array[:, t] for name, array in INPUTS.items()})
            for name, value in expected.values.items():
                np.testing.assert_array_equal(stream.values[name], value[:, t], err_msg=name)
        assert stream.states.keys() == expected.states.keys()
        for name, state in expected.states.items():
            np.testing.assert_array_equal(stream.states[name], state, err_msg=name)
        assert stream.saturations == {n: c.saturations for n, c in expected.counts.items()}
        stream.reset()


def test_a_recording_counts_what_its_step_does():
    chase = Chase(gain=integers([1, -2, 3]), out=Fixed(10))
    nodes = {"in": Input(channels=C, out=Fixed(8)), "x": chase, "out": Output(channels=C)}
    found, _ = record_operations(
        Graph(nodes, (("in", "x"), ("x", "out"))), {"in": np.ones((1, 1, C), np.int64)}
    )
    # a product each (1 and -2 are trivial), a sum, a difference, two ends of two saturations
    assert found["x"] == Elementary(
        multiplications=3, trivial=2, additions=6, comparisons=2 * 2 * 3
    )


def test_a_step_that_is_refused_changes_nothing_whichever_input_it_is():
    stream = Stepper(GRAPH, samples=SAMPLES)
    first = {name: array[:, 0] for name, array in INPUTS.items()}
    stream.step(first)
    states = stream.states
    with pytest.raises(ValueError, match="input 'late'"):
        stream.step(first | {"late": np.full((SAMPLES, C), 512)})
    for name, state in stream.states.items():
        np.testing.assert_array_equal(state, states[name], err_msg=name)
    assert stream.steps == 1
