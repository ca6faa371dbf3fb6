"""What `quantize` made, in about 20 lines; all tables are in `quantization`."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from neurossm_cli.presentation.console import Console
from neurossm_cli.presentation.counted import plural
from neurossm_cli.presentation.quantization import bits_needed

if TYPE_CHECKING:
    from neurossm.quantization import Choice, Loss
    from neurossm_workflows.quantize import Quantized

SHOWN = 5  # nodes that lost something
WIDTH = re.compile(r"\bs(\d+)\.|\bQ1\.(\d+)")
CALLED = {"messages": "activations"}  # files keep the old word


def print_summary(console: Console, quantized: Quantized) -> None:
    """Print widths, registers, saturations, and the nodes that lost most with the bits needed."""
    made = quantized.report
    clipped = sum(count.saturations for count in quantized.counts.values())
    proven = sum(room.proven for room in made.headroom)
    console.say(
        f"Quantized by the rule {quantized.settings.range_rule},"
        f" {plural(quantized.settings.headroom, 'bit')} of headroom"
    )
    console.facts(
        (
            ("bit widths", widths(made.choices)),
            ("saturations",
             f"{plural(clipped, 'value')} clipped in {plural(quantized.samples, 'sample')};"
             f" {proven} of {plural(len(made.headroom), 'register')} proven not to saturate"),
        )
    )  # fmt: skip
    _print_losses(console, made.losses)


def widths(choices: tuple[Choice, ...]) -> str:
    """Return the bits of everything that was quantized: ``activations 9 to 24; weights 8``."""
    found: dict[str, set[int]] = {}
    for choice in choices:
        bits = {_bits(*one) for one in WIDTH.findall(choice.format)}
        if bits:
            found.setdefault(CALLED.get(choice.what, choice.what), set()).update(bits)
    several = (f"{what} {_span(bits)}" for what, bits in sorted(found.items()))
    return "; ".join(several) or "spikes only"


def _bits(signed: str, poles: str) -> int:
    return int(signed) if signed else int(poles) + 1  # Q1.15 has a sign and 15 bits


def _span(bits: set[int]) -> str:
    low, high = min(bits), max(bits)
    return str(low) if low == high else f"{low} to {high}"


def _print_losses(console: Console, losses: tuple[Loss, ...]) -> None:
    """Print the worst row of each node, those first that an option would keep."""
    worst: dict[str, Loss] = {}
    for loss in sorted(losses, key=_order):
        worst.setdefault(loss.node, loss)
    if not worst:
        return
    shown = list(worst.values())[:SHOWN]
    console.table(
        ("node", "what", "lost", "bits needed"),
        [(loss.node, loss.what, loss.reason, bits_needed(loss, "unsupported"))
         for loss in shown],
        title=f"What the formats could not represent, in {plural(len(worst), 'node')}"
        " (the worst of each)",
    )  # fmt: skip
    more = len(losses) - len(shown)
    if more:
        console.say(f"and {plural(more, 'more row')} of that (--details)")


def _order(loss: Loss) -> tuple[bool, bool, float]:
    return not loss.setting, loss.bits is None, -loss.count / max(loss.of, 1)


def print_next(
    console: Console, graph: Path, output: Path, calibrate: str, more: list[str], passed: bool
) -> None:
    """Print the command that follows: what the integers cost, or which layer is off.

    `more` are the options about data that were given here and are needed there, too.
    """
    if passed:
        purpose = "operations and energy"
        command = ["profile", str(output), "--data", _tested(calibrate)]
    else:
        purpose = "which layer is off"
        command = ["diff", str(graph), str(output), "--data", calibrate]
    console.say(f"Next, {purpose} (all tables of this command: --details):")
    console.say(f"  neurossm {shlex.join([*command, *more])}")


def _tested(calibrate: str) -> str:
    """Return the test part of the data whose training part calibrated."""
    return re.sub(r":train(:\d+)?$", ":test", calibrate)
