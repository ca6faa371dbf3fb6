"""What `demo` found, in a few lines, and what to do next."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from neurossm_cli.presentation.console import Console

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
    lava_samples: int,
    files: tuple[Path, Path, Path],
) -> None:
    """Print the results; `files` are the float and the integer network, and the report."""
    metrics = found.metrics
    console.say()
    console.say(f"{checkpoint}: {metrics.samples:,} test images of {metrics.steps:,.0f} time steps")
    console.facts(
        (
            ("accuracy", _accuracy(found)),
            ("bit-exact", _parity(parity, lava_samples)),
            ("spike rates", _rates(found)),
            *_energy(found.energy, found.energy_problem),
            ("speed", _speed(found.execution.steps_per_second, parity)),
            ("networks", f"{files[0]} (float), {files[1]} (integer)"),
            ("report", str(files[2])),
        )
    )
    console.say("Next, with data of your own (.npz, .csv, a folder; see neurossm data --help):")
    for line in NEXT:
        console.say(f"  {line}")


def _accuracy(found: Profile) -> str:
    integer, saturations = found.accuracy, found.metrics.total.saturations
    floating = "" if found.accuracy_float is None else f"float {found.accuracy_float:.2%}, "
    equal = "" if found.agreement is None else f"; {found.agreement:.2%} equal predictions"
    shown = "" if integer is None else f"integer {integer:.2%}"
    return f"{floating}{shown}{equal}; {saturations:,} saturations"


def _parity(parity: Parity, samples: int) -> str:
    if parity.steps_per_second_lava is None:
        return "not compared: Lava is left out (--lava-samples 0)"
    where = f"reference, fast engine and Lava on {samples} image{'s' * (samples != 1)}"
    if parity.mismatches:
        first = f"; first: {parity.first}" if parity.first else ""
        return f"no: {parity.mismatches:,} of {parity.values_compared:,} values differ{first}"
    return f"yes: {parity.values_compared:,} values of {where}, 0 mismatches"


def _rates(found: Profile) -> str:
    rates = found.metrics.spike_rates.values()
    if not rates:
        return "no spiking layers"
    low, high = f"{min(rates):.1%}", f"{max(rates):.1%}"
    span = low if low == high else f"{low} to {high}"
    return f"{span} per neuron per time step ({len(rates)} layer{'s' * (len(rates) != 1)})"


def _energy(energy: Energy | None, problem: str) -> list[tuple[str, str]]:
    from neurossm.report.units import si_range

    if energy is None:
        return [("energy", f"not estimated: {problem}")]

    def shown(part: Interval | None) -> str:
        return "unknown" if part is None else si_range(part, "J")

    where = f"per inference on {energy.hardware.title}"
    parts = f"static {shown(energy.static)}, dynamic {shown(energy.dynamic)}"
    return [("energy", f"{shown(energy.total)} {where}"),
            ("", f"{parts} (modeled, not measured)")]  # fmt: skip


def _speed(fast: float, parity: Parity) -> str:
    said = f"fast engine {fast:,.0f} time steps/s"
    bundle, best = parity.steps_per_second_lava, parity.steps_per_second_lava_best
    if bundle is None or best is None:
        return said
    return f"{said}; Lava {best:,.0f} in a batch, {bundle:,.0f} as for the chip"
