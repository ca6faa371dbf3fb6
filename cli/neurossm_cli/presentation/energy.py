"""Counts, energy, placement and times of a profile, as tables for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neurossm_cli.presentation.console import Console
from neurossm_cli.presentation.counted import plural

if TYPE_CHECKING:
    from neurossm.energy import BreakEven, Energy, Interval, RateRow, RealTime
    from neurossm_workflows.costs import CoreWork
    from neurossm_workflows.profile import Profile
    from neurossm_workflows.timing import CpuTimings, Timing


def print_profile(console: Console, profile: Profile) -> None:
    """Print counts and energy as tables."""
    from neurossm.metrics import multiplications
    from neurossm.report import (
        counts_table,
        energy_table,
        multiplication_rows,
        multiplication_sentences,
    )
    from neurossm.report.units import si_range

    graph, metrics, energy = profile.graph, profile.metrics, profile.energy
    rows = counts_table(graph, metrics)
    console.table(
        ("node", "syn_ops", "multiplies", "dendrite_updates", "spikes_in", "axon_out",
         "saturations", "spike rate"),
        [(r.name, round(r.syn_ops), round(r.synaptic_multiplies), round(r.dendrite_updates),
          round(r.spikes_in), round(r.axon_out), r.saturations,
          "" if r.spike_rate is None else f"{r.spike_rate:.1%}") for r in rows],
        title=f"Operations per inference, mean of {plural(metrics.samples, 'sample')} of"
        f" {round(metrics.steps, 2):,.10g} steps (saturations: all samples)",
    )  # fmt: skip
    found = multiplications(graph, metrics)
    console.table(("multiplications in", "per inference", "where"), multiplication_rows(found))
    for sentence in multiplication_sentences(graph, found, profile.recorded):
        console.say(sentence)
    console.say()
    if energy is None:
        return

    def shown(interval: Interval | None, missing: str = "unknown") -> str:
        return missing if interval is None else si_range(interval, "J")

    rows_of_energy = []
    for r in energy_table(energy):
        missing = "unknown" if r.grade else ""  # digital rows: arithmetic alone, no such parts
        parts = (shown(part, missing) for part in (r.synaptic, r.neuron, r.routing, r.static))
        rows_of_energy.append((r.name, shown(r.total), *parts, r.grade, r.accuracy))
    console.table(
        ("constants", "total", "synaptic", "neuron", "routing", "static", "grade", "accuracy"),
        rows_of_energy,
        title=f"Energy per inference on {energy.hardware.title}: {energy.label}",
    )
    for sentence in energy.statements():
        console.say(sentence)
    _print_break_even(console, profile.break_even)
    console.say(f"{energy.hardware.title}: {shown(energy.total)} per inference over all sets of"
                f" constants, {shown(energy.dynamic)} of it dynamic ({energy.label})")  # fmt: skip


def _print_break_even(console: Console, found: tuple[BreakEven, ...]) -> None:
    """Print of each layer the rate at which it costs as much as dense int8 MACs."""
    from neurossm.energy import CAVEAT
    from neurossm.report.values import break_even_head, break_even_rows

    if not found:
        return
    console.table(
        [name.lower() for name in break_even_head(found)], break_even_rows(found),
        title="Break-even rate: activations per input and step at which a layer costs as much as"
        " dense int8 MACs of its shape",
    )  # fmt: skip
    console.say(CAVEAT)


def print_costs(console: Console, profile: Profile) -> None:
    """Print what else a profile found: placement, speeds, spike rates, times of this machine."""
    _print_placement(console, profile.energy, profile.energy_problem, profile.cores)
    console.say()
    _print_speeds(console, profile.energy, profile.real_time)
    _print_rates(console, profile.rates)
    if profile.timings:
        print_timings(console, profile.timings)


def _print_placement(
    console: Console, energy: Energy | None, problem: str, cores: CoreWork | None
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
            f"Placed with the {mapping} mapping: {plural(len(placement.cores), 'core')} on"
            f" {plural(placement.chips, 'chip')},"
            f" {si_range(part.total, 'J')}; positions of cores are modeled"
        )
    for mapping, reason in energy.problems:
        console.say(f"Does not fit with the {mapping} mapping: {reason}")
    if cores is not None:
        most = cores.as_json()["max"]
        busiest = ", ".join(f"{name} {ends['high']:,.1f}" for name, ends in most.items())
        console.say(f"Busiest core, per step ({cores.activity.basis}): {busiest}")


def _print_speeds(console: Console, energy: Energy | None, case: RealTime | None) -> None:
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
        ("speed", "per step", "per inference", "static energy", "total"), rows,
        title="Energy at two speeds: static power counts for as long as it runs",
    )  # fmt: skip


def _print_rates(console: Console, rows: tuple[RateRow, ...]) -> None:
    """Print energy against spike rate."""
    if not rows:
        return
    from neurossm.report.units import si_range

    console.table(
        ("spikes", "mean rate", "dynamic", "total", "at most 1 per step"),
        [(f"x {row.factor:g}",
          "" if row.spike_rate is None else f"{row.spike_rate:.2%}",
          si_range(row.dynamic, "J"), si_range(row.total, "J"), ", ".join(row.capped))
         for row in rows],
        title="Energy at other spike rates (neuron updates and graded spikes unchanged)",
    )  # fmt: skip


def print_timings(console: Console, found: CpuTimings) -> None:
    """Print what was timed on this machine."""
    from neurossm_workflows.timing import load_said

    machine = found.machine
    console.table(
        ("implementation", "batch", "threads", "ms per sample", "median", "ms per step",
         "samples/s", "J per sample"),
        [_timing_row(row) for row in found.timings],
        title=f"Measured on this machine: {machine['cpu']}, {machine['cores']} cores,"
        f" load {load_said(machine['load_average'])}",
    )  # fmt: skip
    console.say(f"Float network: {found.float_network}. Energy: {found.energy}")


def _timing_row(row: Timing) -> tuple[object, ...]:
    joules = "not available"
    if row.joules is not None:
        joules = ", ".join(f"{name} {number:.3g}" for name, number in row.joules.items())
    ms = 1e3 / row.batch
    return (row.form, row.batch, row.threads, row.seconds_min * ms, row.seconds_median * ms,
            row.seconds_min * 1e3 / row.steps, row.samples_per_second, joules)  # fmt: skip
