"""Settings of quantizing as they are typed, and its report as people and machines read it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from neurossm.errors import InputError
from neurossm_cli.presentation.console import Console
from neurossm_cli.presentation.counted import plural

if TYPE_CHECKING:
    from neurossm.quantization import Choice, Headroom, Loss
    from neurossm.trace import Counts
    from neurossm_workflows.quantize import Quantized

# q15 is Q1.15 and q12 the profile of 12 bits for RF-like hardware, both with their sign
LISTED = 8  # channels of a loss
POLE_PROFILES = {"q15": 16, "q12": 12}
OPTIONS = {"weight_bits": "--weights", "state_bits": "--state", "leak_bits": "--leaks",
           "pole_bits": "--poles"}  # fmt: skip


def pole_width(text: str) -> int:
    """Return the width of a pole's parts, with sign, from ``q15``, ``q12`` or a number of bits."""
    if text in POLE_PROFILES:
        return POLE_PROFILES[text]
    if not re.fullmatch(r"\d{1,3}", text, re.ASCII):
        expected = f"{' | '.join(POLE_PROFILES)} | a number of bits"
        raise InputError("--poles", expected=expected, got=repr(text))
    return int(text)


def range_rules(given: list[str]) -> tuple[tuple[str, str], ...]:
    """Return pairs of a node or pattern and a rule from ``NODE=RULE``."""
    pairs = []
    for text in given:
        pattern, equals, rule = text.rpartition("=")
        if not equals or not pattern:
            raise InputError("--range", expected="NODE=RULE, such as 'blocks.*.ssm=tightest'",
                             got=repr(text))  # fmt: skip
        pairs.append((pattern, rule))
    return tuple(pairs)


def print_report(console: Console, quantized: Quantized) -> None:
    """Print what was chosen for every node and why, the poles, and the headroom."""
    made, counts, samples = quantized.report, quantized.counts, quantized.samples
    console.table(
        (
            "node",
            "what",
            "format",
            "rule",
            "seen",
            "worst case",
            "clipped at",
            "rounding error",
            "reason",
        ),
        [_row(choice) for choice in made.choices],
        title="Number formats and activation ranges",
        keys=2,
    )
    console.say()
    console.table(
        ("node", "bits", "poles", "moved inward", "largest error", "distance to unit circle",
         "response error", "median channel"),
        [(p.node, p.bits, p.poles, p.stepped_inward, p.largest_error, p.smallest_gap,
          f"{p.response_error:.2%}", f"{p.response_error_median:.2%}") for p in made.poles],
        title="Poles (response error: of the impulse response, relative to its largest value)",
    )  # fmt: skip
    console.say()
    console.table(
        ("node", "register", "bits", "worst case", "limit", "headroom"),
        [_room(room, counts, samples) for room in made.headroom],
        title="Headroom of the registers, in integers",
        keys=2,
    )
    if made.losses:
        console.say()
        console.table(
            ("node", "what", "channels", "lost", "how", "bits needed"),
            [_loss(loss) for loss in made.losses],
            title="What the formats could not represent",
        )


def _row(choice: Choice) -> tuple[str, ...]:
    numbers = (choice.seen, choice.bound, choice.held, choice.error)
    cells = ("" if number is None else f"{number:.4g}" for number in numbers)
    return (choice.node, choice.what, choice.format, choice.rule, *cells, choice.reason)


def _loss(loss: Loss) -> tuple[str, ...]:
    listed = ", ".join(map(str, loss.channels[:LISTED]))
    more = len(loss.channels) - LISTED
    channels = listed + (f" and {more:,} more" if more > 0 else "")
    wider = bits_needed(loss, "more than any format has")
    return (loss.node, loss.what, channels, f"{loss.count:,} of {loss.of:,}", loss.reason, wider)


def bits_needed(loss: Loss, none: str) -> str:
    """Return the bits that would have kept it with their option, or `none` where none has them."""
    if loss.bits is None:
        return ""
    return f"{loss.bits} ({OPTIONS[loss.setting] if loss.setting else none})"


def _room(room: Headroom, counts: Mapping[str, Counts], samples: int) -> tuple[object, ...]:
    if room.proven:
        said = "proven" if room.steps is None else f"proven for {plural(room.steps, 'step')}"
    else:
        clipped = counts[room.node].saturations
        said = f"not proven; {plural(clipped, 'value')} clipped in {plural(samples, 'sample')}"
    worst = "unbounded" if room.largest is None else f"{room.largest:,}"
    return (room.node, room.register, room.bits, worst, f"{room.limit:,}", said)
