"""What a check holds against an integer graph, in words: node, channel, values, what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from neurossm.metrics.end_to_end import EndToEnd, Predictions
from neurossm.metrics.per_layer import PerLayerError

Kind = Literal["per layer", "end to end"]


@dataclass(frozen=True)
class Finding:
    """One node over a tolerance.

    Attributes
    ----------
    node, channel
        Which; None where it is the whole node.
    kind
        ``per layer``: this node itself is wrong. ``end to end``: so much is lost up to here.
    text
        What was expected and what was got, with numbers.
    """

    node: str
    channel: int | None
    kind: Kind
    text: str

    def __str__(self) -> str:
        place = "" if self.channel is None else f" channel {self.channel}"
        return f"{self.node}{place}, {self.kind}: {self.text}"


def findings(
    layers: Mapping[str, PerLayerError],
    ends: Mapping[str, EndToEnd],
    predicted: Predictions | None,
    output: str,
    tolerance: float,
) -> tuple[Finding, ...]:
    """Return what is over: per-layer errors first, each kind in the order of the mappings."""
    found = [_layer(error, tolerance) for error in layers.values() if error.over(tolerance)]
    for end in ends.values():
        if np.any(end.lost()):
            found.append(_channel(end))
        elif end.layer_lost():
            found.append(Finding(end.node, None, "end to end", spikes_text(end)))
    if predicted and predicted.lost():
        text = (f"{predicted.samples - predicted.equal} of {predicted.samples} predictions are"
                f" others, {predicted.decided} of them no near ties")  # fmt: skip
        found.append(Finding(output, None, "end to end", text))
    return tuple(found)


def layer_text(error: PerLayerError, channel: int) -> str:
    """Return a channel's per-layer error in words."""
    if error.spikes and not error.exact:
        expected, got = error.expected[channel], error.found[channel]
        late = 2 * error.lag[channel] > abs(got - expected)
        moved = f", out of place by {error.lag[channel]:.1f} in the mean" if late else ""
        return f"{expected:,.0f} spikes became {got:,.0f}{moved}"
    if error.exact:
        return f"{error.unequal[channel]:,} of {error.values:,} values differ where none may"
    mean = error.total[channel] / error.values
    return (f"largest error {error.largest[channel]:.3g}, mean {mean:.3g}, in a range of"
            f" {error.range[channel]:.3g}")  # fmt: skip


def spikes_text(end: EndToEnd) -> str:
    """Return the spikes of a layer in words."""
    expected, got = end.expected.sum(), end.found.sum()
    return (f"{expected:,.0f} spikes became {got:,.0f}, {end.moved:.1%} of them lost or gained by"
            " single neurons")  # fmt: skip


def _layer(error: PerLayerError, tolerance: float) -> Finding:
    channel = error.worst(tolerance)
    return Finding(error.node, channel, "per layer", layer_text(error, channel))


def _channel(end: EndToEnd) -> Finding:
    lost = end.lost()
    if end.spikes:
        change = np.where(lost, np.abs(end.found - end.expected), -1)
        channel = int(np.argmax(change))
        text = f"{end.expected[channel]:,.0f} spikes became {end.found[channel]:,.0f}"
        others = int(lost.sum()) - 1
        text += f" (and {others} more channels)" if others else ""
        return Finding(end.node, channel, "end to end", text)
    channel = int(np.argmax(np.where(lost, np.nan_to_num(end.means, nan=np.inf), -1)))
    text = f"mean error {end.means[channel]:.3g} in a range of {end.range[channel]:.3g}"
    return Finding(end.node, channel, "end to end", text)
