"""What `demo` found, in a few lines, and what to do next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from neurossm_cli.presentation.console import Console
from neurossm_cli.presentation.counted import plural

if TYPE_CHECKING:
    from neurossm.energy import Energy, Interval
    from neurossm_workflows.parity import Parity
    from neurossm_workflows.profile import Profile

NEXT = (
    "neurossm data show YOURS.npz",
    "neurossm train binary-s4d --data YOURS.npz --out runs/mine",
    "neurossm export runs/mine -o mine.nssm",
)


def print_demo(
    console: Console,
    checkpoint: str,
    found: Profile,
    parity: Parity,
    compared: int,
    files: tuple[Path, Path, Path],
) -> None:
    """Print the results in at most 15 lines.

    `compared` images ran on several engines; `files` are the networks, float and integer, and the
    report.
    """
    metrics = found.metrics
    images = plural(metrics.samples, "test image")
    console.say(f"{checkpoint}: {images} of {metrics.steps:,.0f} time steps")
    console.facts(
        (
            ("accuracy", _accuracy(found)),
            ("bit-exact", _parity(parity, compared)),
            ("spike rates", _rates(found)),
            *_energy(found.energy, found.energy_problem),
            ("speed", _speed(found.execution.steps_per_second, parity)),
            ("networks", f"{files[0]} and {files[1]}"),
            ("report", str(files[2])),
        )
    )
    console.say("Next, with data of your own (.npz, .csv, a folder; see neurossm data --help):")
    for line in NEXT:
        console.say(f"  {line}")


def _accuracy(found: Profile) -> str:
    floating = "" if found.accuracy_float is None else f"float {found.accuracy_float:.2%}, "
    equal = "" if found.agreement is None else f"; {found.agreement:.2%} equal predictions"
    return f"{floating}integer {found.accuracy or 0:.2%}{equal}"


def _parity(parity: Parity, samples: int) -> str:
    if parity.mismatches:
        first = f"; first: {parity.first}" if parity.first else ""
        return f"NO: {parity.mismatches:,} of {parity.values_compared:,} values differ{first}"
    same = "reference = fast" + ("" if parity.steps_per_second_lava is None else " = Lava")
    return f"{parity.values_compared:,} values on {plural(samples, 'image')}: {same}"


def _rates(found: Profile) -> str:
    rates = found.metrics.spike_rates.values()
    saturations = plural(found.metrics.total.saturations, "saturation")
    if not rates:
        return f"no spiking layers; {saturations}"
    low, high = f"{min(rates):.1%}", f"{max(rates):.1%}"
    span = low if low == high else f"{low} to {high}"
    return f"{span} per neuron per time step; {saturations}"


def _energy(energy: Energy | None, problem: str) -> list[tuple[str, str]]:
    from neurossm.report.units import si_range

    if energy is None:
        return [("energy", f"not estimated: {problem}")]

    def shown(part: Interval | None) -> str:
        return "unknown" if part is None else si_range(part, "J")

    parts = f"static {shown(energy.static)}, dynamic {shown(energy.dynamic)}"
    return [("energy", f"{shown(energy.total)} per inference (modeled, not measured)"),
            ("", f"{energy.hardware.title}: {parts}")]  # fmt: skip


def _speed(fast: float, parity: Parity) -> str:
    said = f"fast engine {fast:,.0f} time steps/s"
    bundle, best = parity.steps_per_second_lava, parity.steps_per_second_lava_best
    if bundle is None or best is None:
        return f"{said} (Lava left out)"
    return f"{said}; Lava {best:,.0f}, as deployed {bundle:,.0f}"
