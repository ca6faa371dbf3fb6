"""Costs of a run: single operations, energy, the work of cores, energy against spike rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from neurossm.energy import FACTORS, Energy, RateRow, RealTime, at_spike_rate, estimate
from neurossm.engine import check_inputs, run
from neurossm.errors import InputError, TargetError
from neurossm.metrics import Metrics, Recorded, check_multiplications
from neurossm.metrics.per_core import CoreActivity, per_core
from neurossm.metrics.step_time import StepTime, step_time
from neurossm.placement import Placement, Placements

if TYPE_CHECKING:
    from neurossm.graph import Graph
    from neurossm.hardware import Hardware
    from neurossm_models.data import Dataset

TRACE_BYTES = 128 * 2**20
MOST_SAMPLES = 16
MOST_RECORDED_STEPS = 32
RECORDED_WIDTH = 20_000  # inputs of all nodes times steps


@dataclass(frozen=True)
class CoreWork:
    """The counters of every core of one placement, and the time of a step that they make."""

    activity: CoreActivity
    step_time: StepTime

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        return {**self.activity.as_json(), "step_time": self.step_time.as_json()}


def estimated(
    metrics: Metrics, graph: Graph, chip: Hardware, placements: Placements
) -> tuple[Energy | None, str]:
    """Return the energy, or why there is none: a network that does not fit is an answer."""
    try:
        return estimate(metrics, graph, chip, placement=placements), ""
    except TargetError as error:
        return None, str(error)


def recorded(graph: Graph, data: Dataset) -> Recorded:
    """Return what the recording reference counts in the middle of the first sequence.

    As many steps as take about a second: it goes through every input of every synapse in turn.
    """
    width = sum(node.in_channels for node in graph.nodes.values())
    length = data.shape[1] if data.lengths is None else int(data.lengths[0])
    steps = min(MOST_RECORDED_STEPS, length, max(1, RECORDED_WIDTH // width))
    start = (length - steps) // 2
    part = data.take(slice(1)).inputs[:, start : start + steps]
    return check_multiplications(graph, check_inputs(graph, part))


def core_work(graph: Graph, data: Dataset, chip: Hardware, placement: Placement) -> CoreWork:
    """Return the counters of every core and the time of a step, counted neuron by neuron.

    On as many of the first samples as leave a trace of all nodes small.
    """
    channels = sum(node.out_channels for node in graph.nodes.values())
    samples = TRACE_BYTES // (8 * channels * data.trimmed().shape[1])
    part = data.take(slice(min(max(samples, 1), MOST_SAMPLES))).trimmed()
    trace = run(graph, part.inputs, "fast", "all", lengths=part.lengths)
    activity = per_core(placement, graph, trace)
    return CoreWork(activity, step_time(placement, activity, chip))


def real_time(
    energy: Energy | None, graph: Graph, steps_per_second: float | None
) -> RealTime | None:
    """Return the case of the given rate, else of the graph's own if it has one that can be kept."""
    if energy is None:
        return None
    if steps_per_second is not None:
        return energy.at_rate(steps_per_second)
    if graph.dt is None:
        return None
    try:
        return energy.at_rate(1 / graph.dt)
    except InputError:
        return None  # the data come faster than the chip can step: there is no such case


def sensitivity(
    metrics: Metrics, graph: Graph, chip: Hardware, placements: Placements
) -> tuple[RateRow, ...]:
    """Return energy at several multiples of the measured spike rates."""
    rows = []
    for factor in FACTORS:
        scaled, capped = at_spike_rate(metrics, graph, factor)
        energy = estimate(scaled, graph, chip, placement=placements)
        rows.append(RateRow.of(factor, capped, scaled, energy))
    return tuple(rows)
