"""What `profile` found, in about 15 lines; all tables are in `energy`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from neurossm_cli.presentation.console import Console
from neurossm_cli.presentation.counted import plural
from neurossm_cli.presentation.energy import print_timings

if TYPE_CHECKING:
    from neurossm.energy import BreakEven, Energy, Interval, RealTime
    from neurossm_workflows.profile import Profile

Facts = list[tuple[str, str]]


def print_profile_summary(console: Console, profile: Profile) -> None:
    """Print sizes, operations, spike rates, energy with its parts, and what was timed."""
    metrics = profile.metrics
    steps = f"{round(metrics.steps, 2):,.10g} steps"
    console.say(f"Per inference, mean of {plural(metrics.samples, 'sample')} of {steps}:")
    console.facts((*_size(profile), *_counts(profile), *_energy(profile)))
    if profile.timings:
        print_timings(console, profile.timings)
    console.say("All tables (nodes, constants, spike rates): --details")


def _size(profile: Profile) -> Facts:
    nodes = profile.graph.nodes.values()
    parameters, states = (sum(getattr(n, name) for n in nodes) for name in ("parameters", "states"))
    return [("size", f"{parameters:,} parameters, {states:,} real states")]


def _counts(profile: Profile) -> Facts:
    from neurossm.metrics import multiplications
    from neurossm.report import counts_table, multiplication_rows

    total = counts_table(profile.graph, profile.metrics)[-1]
    found = multiplication_rows(multiplications(profile.graph, profile.metrics))
    rates = profile.metrics.spike_rates.values()
    ends = dict.fromkeys(f"{rate(rates):.1%}" for rate in (min, max)) if rates else ()
    return [
        ("operations", f"{round(total.syn_ops):,} synaptic,"
                       f" {round(total.dendrite_updates):,} neuron updates"),
        ("multiplications", "; ".join(f"{where[0].partition(':')[0].lower()} {where[1]}"
                                      for where in found)),
        ("activations", f"{round(total.axon_out):,} sent, one per receiving node; spike rates"
                        f" {' to '.join(ends) or 'none (no spiking layers)'}"),
        ("saturations", f"{plural(total.saturations, 'value')} clipped in all samples"),
    ]  # fmt: skip


def _energy(profile: Profile) -> Facts:
    energy = profile.energy
    if energy is None:
        return [("energy", f"not estimated: {profile.energy_problem}")]
    parts = f"static {_shown(energy.static)}, dynamic {_shown(energy.dynamic)}"
    return [
        ("energy", f"{_shown(energy.total)} on {energy.hardware.title} ({energy.label})"),
        ("", parts),
        *_real_time(profile.real_time),
        *_digital(energy),
        *_break_even(profile.break_even),
        *_placed(energy),
    ]


def _shown(part: Interval | None) -> str:
    from neurossm.report.units import si_range

    return "unknown" if part is None else si_range(part, "J")


def _real_time(case: RealTime | None) -> Facts:
    if case is None:
        return []
    return [("", f"{_shown(case.total)} in real time, {case.steps_per_second:g} steps/s")]


def _digital(energy: Energy) -> Facts:
    """Return this network and the dense ones on one digital technology: like with like."""
    rows = {row.name: row for row in energy.baselines}
    own = rows.pop("snn_digital", None)
    if own is None or not rows:
        return []
    from neurossm.report import energy_table

    shown = {row.name: row for row in energy_table(energy)}
    best = min(rows.values(), key=lambda row: row.with_memory_j)
    dense, title = shown[best.title], best.title.removesuffix(", dense")
    return [
        ("45 nm arithmetic", f"{_shown(shown[own.title].total)} as this spiking network"),
        ("", f"{_shown(dense.total)} as the cheapest dense one ({title}; accuracy"
             f" {dense.accuracy})"),
    ]  # fmt: skip


def _break_even(found: tuple[BreakEven, ...]) -> Facts:
    """Return how many layers are cheaper than int8 MACs at their rates, by the chip's constants."""
    ends = [(row, row.chip) for row in found]
    known = [(row, chip) for row, chip in ends if chip is not None]
    if not known:
        return []
    from neurossm.energy import Interval
    from neurossm.report.values import rate_range

    low, high = min(chip.low for _, chip in known), max(chip.high for _, chip in known)
    below = sum(row.rate < chip.low for row, chip in known)
    above = sum(row.rate > chip.high for row, chip in known)
    return [
        ("break-even rate", f"{rate_range(Interval(low, high))} of the inputs per step, by layer"
                            " and constants, against dense int8 MACs of 45 nm"),
        ("", f"of {plural(len(known), 'layer')} {below} below it by every set, {above} above it"),
    ]  # fmt: skip


def _placed(energy: Energy) -> Facts:
    if not energy.placements:
        return [("cores", "not placed: what a core of this chip holds is not published")]
    facts = [
        ("cores", f"{plural(len(placement.cores), 'core')} on {plural(placement.chips, 'chip')}"
                  f" ({mapping} mapping)")
        for mapping, part in energy.by_mapping.items() for placement in part.placements
    ]  # fmt: skip
    facts += [("cores", f"does not fit with the {mapping} mapping: {reason}")
              for mapping, reason in energy.problems]  # fmt: skip
    return [(name if not index else "", text) for index, (name, text) in enumerate(facts)]
