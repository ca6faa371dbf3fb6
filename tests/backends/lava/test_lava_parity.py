"""Lava against the specification: values, states and counters, in every mode."""

from dataclasses import asdict, dataclass

import numpy as np
import pytest

from neurossm.comparison import compare
from neurossm.engine.run import run as run_engine
from neurossm_converters.backends import lava as lava_backend
from neurossm_converters.backends.lava import LavaOptions, child

pytestmark = pytest.mark.lava
STEPS = 20


@dataclass(frozen=True)
class Case:
    """A way to run; processes counted by hand on the graph of conftest.py."""

    options: LavaOptions
    seed: int
    samples: int
    groups: int
    processes: int
    record: str | tuple[str, ...] = "all"
    lengths: tuple[int, ...] | None = None

    @property
    def name(self) -> str:
        """Its options as a test's name."""
        o = self.options
        return f"{o.protocol}-{o.fuse}-{o.synapses}-{o.batch}"


# 29 nodes, and 9 edges into the eight Affines. The stages: the inputs, and what up, ternary and
# embed reach without synapses; value; sparse with none; back; back2; gate; deep and all behind it
STAGES = 7
SYNAPSES = 9
# the specification runs each sample by itself: to equal it with one sample and with three in a
# row or side by side is to equal oneself alone
CASES = (
    Case(
        LavaOptions(protocol="loihi", synapses="lava"), 0, samples=3, groups=3,
        processes=STAGES + SYNAPSES,
    ),
    Case(LavaOptions(synapses="sparse"), 0, 1, groups=1, processes=STAGES + SYNAPSES),
    Case(LavaOptions(synapses="dense"), 0, 1, groups=1, processes=STAGES + SYNAPSES),
    Case(
        LavaOptions(fuse="stage", batch=2), 0, samples=3, groups=2, processes=STAGES,
        lengths=(13, 20, 7),
    ),
    Case(LavaOptions(), 1, samples=3, groups=3, processes=1, lengths=(20, 9, 1)),
    Case(
        LavaOptions(protocol="loihi", batch=2), 1, samples=3, groups=2, processes=1,
        record=("ssm", "out"), lengths=(3, 18, 16),
    ),
)  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_node_equals_the_reference(graph_of, inputs_of, case, monkeypatch):
    graph = graph_of(case.seed)
    inputs = {name: array[: case.samples] for name, array in inputs_of(3, case.seed).items()}
    expected = run_engine(graph, inputs, engine="reference", lengths=case.lengths)
    clipped = {name for name, count in expected.counts.items() if count.saturations}
    # where nothing saturates or spikes, agreement would say little
    assert clipped >= {"up", "ternary", "far", "value", "product", "accumulate", "none"}
    assert all(count.spikes_out for count in expected.counts.values())

    starts, done = [], []
    popen = child.subprocess.Popen
    monkeypatch.setattr(
        child.subprocess,
        "Popen",
        lambda *given, **named: starts.append(given[0]) or popen(*given, **named),
    )
    found = lava_backend.run_timed(
        graph, inputs, case.record, case.options, done.append, case.lengths
    )
    trace = found.trace

    recorded = graph.order if case.record == "all" else case.record
    assert set(trace.values) == set(recorded)
    comparison = compare(expected, trace, graph.order)
    assert comparison.first is None
    channels = sum(graph.nodes[name].out_channels for name in recorded)
    steps = case.samples * STEPS if case.lengths is None else sum(case.lengths)
    assert comparison.compared == steps * channels
    ended = np.arange(STEPS) >= trace.ends[:, None]
    assert not any(values[ended].any() for values in trace.values.values())
    assert set(trace.states) == {
        "ssm.re", "ssm.im", "accumulate.sum", "hard.u", "soft.u", "soft.r", "none.u", "none.r",
    }  # fmt: skip
    for name, state in expected.states.items():
        assert np.array_equal(trace.states[name], state), name
    for name, count in expected.counts.items():
        assert asdict(trace.counts[name]) == asdict(count), name

    assert trace.engine == "lava"
    assert sum(done) == case.samples
    assert sum(child.MODULE in command for command in starts) == 1  # for all samples
    assert found.latency == 4  # up, value, gate, deep
    longest = STEPS if case.lengths is None else max(case.lengths)
    assert found.network_steps == case.groups * longest + 4
    assert found.processes == case.processes
    assert found.steps_per_second == pytest.approx(steps / found.stepping_seconds)


def test_the_graph_saturates_on_entry_and_in_the_state(graph_of, inputs_of):
    counts = run_engine(graph_of(0), inputs_of(3, 0), engine="reference").counts
    assert counts["spike2"].saturations  # two edges that add beyond 24 bits
    assert counts["ssm"].saturations
    assert counts["line"].saturations


def test_the_graph_exercises_what_spikes_and_looks_up(graph_of, inputs_of):
    trace = run_engine(graph_of(0), inputs_of(3, 0), engine="reference")
    assert all(0 < trace.values[name].mean() < 1 for name in ("hard", "soft", "none"))
    assert set(np.unique(trace.values["signed"])) == {-1, 0, 1}
    assert np.any(trace.states["soft.r"]) and np.any(inputs_of(3, 0)["token"] == 0)
    assert trace.counts["sparse"].syn_ops > 0 == trace.counts["sparse"].synaptic_multiplies
    assert trace.counts["back2"].syn_ops and trace.counts["back"].syn_ops
