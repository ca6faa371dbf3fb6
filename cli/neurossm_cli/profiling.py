"""What ``neurossm profile`` adds to counts and energy: speeds, spike rates, placement, timings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neurossm.errors import InputError

if TYPE_CHECKING:
    from neurossm.energy import Energy, RateRow, RealTime
    from neurossm.graph import Graph
    from neurossm.hardware import Hardware
    from neurossm.metrics import Metrics, Recorded
    from neurossm.placement import Placement, Placements
    from neurossm.report import Accuracy
    from neurossm.trace import Trace
    from neurossm_cli.console import Console
    from neurossm_models.data import Dataset

TRACE_BYTES = 128 * 2**20
MOST_SAMPLES = 16
MOST_RECORDED_STEPS = 32
MOST_SIMULATED = 256
SIMULATED_UPDATES = 50_000_000  # of states: some seconds
RECORDED_WIDTH = 20_000  # inputs of all nodes times steps


def estimated(
    metrics: Metrics, graph: Graph, chip: Hardware, placements: Placements
) -> tuple[Energy | None, str]:
    """Return the energy, or why there is none: a network that does not fit is an answer."""
    from neurossm.energy import estimate
    from neurossm.errors import TargetError

    try:
        return estimate(metrics, graph, chip, placement=placements), ""
    except TargetError as error:
        return None, str(error)


def recorded(graph: Graph, data: Dataset) -> Recorded:
    """Return what the recording reference counts in the middle of the first sequence.

    As many steps as take about a second: it goes through every input of every synapse in turn.
    """
    from neurossm.engine import check_inputs
    from neurossm.metrics import check_multiplications

    width = sum(node.in_channels for node in graph.nodes.values())
    length = data.shape[1] if data.lengths is None else int(data.lengths[0])
    steps = min(MOST_RECORDED_STEPS, length, max(1, RECORDED_WIDTH // width))
    start = (length - steps) // 2
    part = data.take(slice(1)).inputs[:, start : start + steps]
    return check_multiplications(graph, check_inputs(graph, part))


def baseline_accuracies(
    graph: Graph, data: Dataset, samples: int | None, accuracy: Accuracy, console: Console
) -> dict[str, tuple[float, float, str]]:
    """Return the accuracy of this network with the recurrence of each baseline, and its sample.

    The wide one and the spiking network itself are the run that was profiled; the narrow ones are
    simulated (`neurossm.engine.narrow`) on the first sequences, by default on as many as take some
    seconds.
    """
    from neurossm.energy.digital import RECURRENCES
    from neurossm.engine import padded_inputs, run
    from neurossm.engine.narrow import run_narrow
    from neurossm.nodes import DiagonalSSM
    from neurossm.trace import Trace

    ssms = [node for node in graph.nodes.values() if isinstance(node, DiagonalSSM)]
    data = data.trimmed()
    updates = sum(node.updates for node in ssms) * data.shape[1]
    if samples is None:
        samples = min(MOST_SIMULATED, max(1, SIMULATED_UPDATES // max(1, updates)))
    if samples < 0:
        raise InputError("--baseline-samples", expected="0 or more", got=str(samples))
    counted = f"of {accuracy.samples}"
    own = accuracy.integer
    found = {name: (own, own, counted) for name in ("ann_int8", "snn_digital")}
    if accuracy.float_graph is not None:
        found["ann_float32"] = (accuracy.float_graph, own, counted)
    if not samples or not ssms:
        return found
    part = data.take(slice(min(samples, len(data))))
    if not part.labeled:
        return found
    inputs, ends = padded_inputs(graph, part.inputs, part.lengths)
    trace = run(graph, part.inputs, "fast", "outputs", lengths=part.lengths)
    own = _right(graph, trace, part)
    for bits in RECURRENCES[1:]:
        console.note(f"simulating a recurrence of {bits} bits on {len(part)} sequences")
        values = run_narrow(graph, inputs, bits, ends)
        samples, steps = part.inputs.shape[:2]
        trace = Trace(f"{bits}-bit recurrence", values, samples, steps, lengths=ends)
        right = _right(graph, trace, part)
        found[f"ann_int8_recurrence{bits}"] = (right, own, f"of {len(part)}, simulated")
    return found


def _right(graph: Graph, trace: Trace, part: Dataset) -> float:
    """Return the share of right answers."""
    from neurossm.metrics import answers
    from neurossm_cli.scoring import labeled, scored, scorer_of

    scorer = scorer_of(graph, part)
    if scorer is not None:
        scorer.add(answers(graph, trace), part.labels, part.lengths)
    return labeled(scored(scorer), "--data").values["accuracy"]


def per_core_document(
    graph: Graph, data: Dataset, chip: Hardware, placement: Placement | None
) -> dict[str, object] | None:
    """Return the counters of every core and the time of a step, counted neuron by neuron.

    On as many of the first samples as leave a trace of all nodes small; None where no one
    placement was asked for.
    """
    if placement is None:
        return None
    from neurossm.engine import run
    from neurossm.metrics.per_core import per_core
    from neurossm.metrics.step_time import step_time

    channels = sum(node.out_channels for node in graph.nodes.values())
    samples = TRACE_BYTES // (8 * channels * data.trimmed().shape[1])
    part = data.take(slice(min(max(samples, 1), MOST_SAMPLES))).trimmed()
    trace = run(graph, part.inputs, "fast", "all", lengths=part.lengths)
    activity = per_core(placement, graph, trace)
    return {
        **activity.as_json(),
        "step_time": step_time(placement, activity, chip).as_json(),
    }


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
    from neurossm.energy import FACTORS, RateRow, at_spike_rate, estimate

    rows = []
    for factor in FACTORS:
        scaled, capped = at_spike_rate(metrics, graph, factor)
        energy = estimate(scaled, graph, chip, placement=placements)
        rows.append(RateRow.of(factor, capped, scaled, energy))
    return tuple(rows)


def sensitivity_document(rows: tuple[RateRow, ...]) -> dict[str, object]:
    """Return the rows with their formula, as plain values."""
    from neurossm.energy import FORMULA

    return {"formula": FORMULA, "rows": [row.as_json() for row in rows]}


def placement_document(placement: Placement | None) -> dict[str, object] | None:
    """Return what of a placement the energy depends on; ``neurossm place`` has all of it."""
    if placement is None:
        return None
    return {
        "ssm_mapping": placement.ssm_mapping,
        "chips": placement.chips,
        "cores_in_use": len(placement.cores),
        "assumptions": list(placement.assumptions),
    }


def print_placement(
    console: Console, energy: Energy | None, problem: str, cores: dict[str, Any] | None
) -> None:
    """Print what the energy was estimated with, and the work of the busiest core."""
    from neurossm.report.units import si_range

    if energy is None:
        console.say(f"No energy: {problem}")
        return
    if not energy.placements:
        console.say("Not placed: what a core of this chip holds is not published")
    for mapping, part in energy.by_mapping.items():
        (placement,) = part.placements
        console.say(
            f"Placed with the {mapping} mapping: {len(placement.cores)} cores on"
            f" {placement.chips} chip{'s' * (placement.chips > 1)},"
            f" {si_range(part.total, 'J')}; positions of cores are modelled"
        )
    for mapping, reason in energy.problems:
        console.say(f"Does not fit with the {mapping} mapping: {reason}")
    if cores is not None:
        busiest = ", ".join(f"{name} {ends['high']:,.1f}" for name, ends in cores["max"].items())
        console.say(f"Busiest core, a step ({cores['basis']}): {busiest}")


def print_speeds(console: Console, energy: Energy | None, case: RealTime | None) -> None:
    """Print static power against run time: as fast as the chip goes, and at a given rate."""
    from neurossm.report.units import si_range

    def shown(part: Any, unit: str) -> str:
        return si_range(part, unit) if part is not None else "unknown"

    rows: list[tuple[str, ...]] = []
    if energy is None:
        return
    if energy.step_time is not None:
        seconds = energy.step_time * energy.steps
        rows.append(("free-running", shown(energy.step_time, "s"), shown(seconds, "s"),
                     shown(energy.static, "J"), shown(energy.total, "J")))  # fmt: skip
    if case is not None:
        name = f"{case.steps_per_second:g} steps/s"
        rows.append((name, f"{1 / case.steps_per_second:.4g} s", f"{case.seconds:.4g} s",
                     shown(case.static, "J"), shown(case.total, "J")))  # fmt: skip
    console.table(
        ("speed", "a step", "an inference", "static energy", "total"), rows,
        title="Static power against run time",
    )  # fmt: skip


def print_sensitivity(console: Console, rows: tuple[RateRow, ...]) -> None:
    """Print energy against spike rate."""
    if not rows:
        return
    from neurossm.report.units import si_range

    console.table(
        ("spikes", "mean rate", "dynamic", "total", "at their limit of 1 a step"),
        [(f"x {row.factor:g}",
          "" if row.spike_rate is None else f"{row.spike_rate:.2%}",
          si_range(row.dynamic, "J"), si_range(row.total, "J"), ", ".join(row.capped))
         for row in rows],
        title="Energy against spike rate (neuron updates and graded messages unchanged)",
    )  # fmt: skip


def print_timings(console: Console, found: dict[str, Any]) -> None:
    """Print what was timed on this machine."""
    from neurossm_cli.measuring import load_said

    machine = found["machine"]
    console.table(
        ("form", "batch", "threads", "ms a sample", "median", "ms a step", "samples/s",
         "J a sample"),
        [(row["form"], row["batch"], row["threads"], row["ms_per_sample"]["min"],
          row["ms_per_sample"]["median"], row["ms_per_step"]["min"], row["samples_per_second"],
          _joules(row["joules_per_sample"])) for row in found["timings"]],
        title=f"Measured on this machine: {machine['cpu']}, {machine['cores']} cores,"
        f" load {load_said(machine['load_average'])}",
    )  # fmt: skip
    console.say(f"Float network: {found['float_network']}. Energy: {found['energy']}")


def _joules(found: dict[str, float] | None) -> str:
    if found is None:
        return "not available"
    return ", ".join(f"{name} {joules:.3g}" for name, joules in found.items())
