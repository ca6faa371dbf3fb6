"""Graphs that delay and feed back: values, states and counters of the reference."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from random_graphs import QUICK, Case, cases
from recurrent import IN, recurrent_lif

from neurossm.comparison import compare
from neurossm.engine import run as run_engine
from neurossm.errors import GraphError
from neurossm.graph import Graph
from neurossm.temporary import temporary_folder
from neurossm.trace import Trace
from neurossm_chip import nssm
from neurossm_chip.runtime import ensure
from neurossm_converters.backends import lava as lava_backend
from neurossm_converters.backends.lava import LavaOptions, make_plan
from neurossm_converters.backends.lava.job import Job
from neurossm_converters.backends.lava.layout import lay_out
from neurossm_converters.backends.lava.orders import GRAPH, RESULT
from neurossm_converters.backends.lava.record import PROGRESS, collect
from neurossm_converters.backends.lava.result import read
from neurossm_converters.backends.lava.stage import StageAtWork, StagePlan

pytestmark = pytest.mark.lava


def assert_equal(expected: Trace, found: Trace, graph: Graph) -> None:
    comparison = compare(expected, found, graph.order)
    assert comparison.first is None and comparison.compared
    assert found.states.keys() == expected.states.keys()
    for name, state in expected.states.items():
        np.testing.assert_array_equal(found.states[name], state, name)
    for name, count in expected.counts.items():
        assert asdict(found.counts[name]) == asdict(count), name


def spikes(samples: int, steps: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 2, (samples, steps, IN))


# stages: the input and what its synapses reach without any, which is the loop and the output
WAYS = {
    "alone": (LavaOptions(), 1, None),
    "side by side": (LavaOptions(batch=2), 1, [70, 9, 70, 64, 1]),
    "stages": (LavaOptions(batch=3, fuse="stage"), 1, [70, 1, 20, 7, 30]),
    "synapses of Lava's": (LavaOptions(protocol="loihi", synapses="lava"), 2, None),
}


@pytest.mark.parametrize("way", WAYS)
def test_recurrent_synapses_equal_the_reference(way):
    options, processes, lengths = WAYS[way]
    graph = recurrent_lif(np.random.default_rng(0), [1, 2, 63, 5, 1])
    x = spikes(5, 70)
    expected = run_engine(graph, x, "reference", lengths=lengths)
    assert expected.values["later"].any() and expected.states["later.waiting"].any()
    found = lava_backend.run_timed(graph, x, "all", options, None, lengths)
    assert_equal(expected, found.trace, graph)
    assert found.processes == processes and found.latency == 1


def test_a_loop_is_one_process_with_synapses_that_take_no_step():
    graph = recurrent_lif(np.random.default_rng(0))
    plan = make_plan(graph)
    assert plan.latencies == {"x": 0, "into": 1, "lif": 1, "later": 1, "back": 1, "y": 1}
    assert plan.delays["later", "back"] == -1 and set(plan.delays.values()) == {0, -1}
    found = lay_out(graph, plan, LavaOptions(synapses="lava"))
    assert found.synapses == {("x", "into"): "dense"}
    assert found.groups == (("x", "into", "later", "back", "lif", "y"),)


class Conductor:
    """Walks the processes of a network as Lava would, each when all that it receives is there."""

    def __init__(self, job: Job, folder: Path) -> None:
        ensure()
        from neurossm_converters.backends.lava.network import Network

        self.job, self.folder, self.orders = job, folder, job.orders()
        job.save(folder, self.orders)
        np.save(folder / PROGRESS, np.zeros(len(job.graph.order), np.int64))
        network = Network(nssm.read_graph(str(folder / GRAPH)), self.orders, folder)
        self.plans: list[StagePlan] = [p.proc_params["plan"] for p in network.processes]

    def ports(self) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        """Give for each message between two processes where it leaves and where it arrives."""
        bundles = list(self.orders.layout.bundles)
        for pair in bundles:
            leaving = [b for b in bundles if b[0] == pair[0]].index(pair)
            arriving = [b for b in bundles if b[1] == pair[1]].index(pair)
            yield (pair[0], leaving), (pair[1], arriving)

    def run(self) -> Trace:
        """Make all steps."""
        stages = [StageAtWork(plan) for plan in self.plans]
        wired = {into: out for out, into in self.ports()}
        for step in range(1, self.orders.network_steps + 1):
            sent: dict[int, list[np.ndarray]] = {}
            while len(sent) < len(stages):
                for index, plan in enumerate(self.plans):
                    sources = [wired[index, port] for port in range(len(plan.arriving))]
                    if index in sent or not all(source[0] in sent for source in sources):
                        continue
                    arriving = [sent[s][port].reshape(plan.batch, -1) for s, port in sources]
                    stages[index].enter(step)
                    sent[index] = stages[index].advance(step, arriving)
                    stages[index].finish()
        names = self.job.graph.order
        collect(self.folder, [name in self.job.recorded for name in names], self.folder / RESULT)
        return read(self.job, self.folder)[0]


@QUICK
@given(cases(), st.sampled_from([1, 2, 7]), st.sampled_from(["network", "stage"]), st.data())
def test_random_graphs_equal_the_reference(
    case: Case, batch: int, fuse: str, data: st.DataObject
) -> None:
    samples, steps = next(iter(case.inputs.values())).shape[:2]
    try:
        make_plan(case.graph)
    except GraphError as error:
        assume("one connected network" not in str(error))
        raise
    ends = None
    if data.draw(st.booleans()):
        ends = np.array(data.draw(st.lists(st.integers(1, steps), min_size=samples,
                                           max_size=samples)))  # fmt: skip
    expected = run_engine(case.graph, case.inputs, "reference", lengths=ends)
    options = LavaOptions(batch=batch, fuse=fuse)
    with temporary_folder("lava") as folder:
        job = Job(case.graph, case.inputs, case.graph.order, options, ends)
        assert_equal(expected, Conductor(job, folder.path).run(), case.graph)
