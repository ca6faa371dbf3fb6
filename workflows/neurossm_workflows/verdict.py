"""The verdict of a check, as one line for people and as a document for machines."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neurossm.metrics.check import Check

WIDEST = (
    "poles, weights and states have all the bits there are: calibrate on data like these, or"
    " use quantization-aware training (neurossm train RECIPE --finetune-from RUN --qat)"
)


def verdict(found: Check) -> str:
    """Return one line: what the integers lose, or what is wrong first and what to do."""
    samples = f"{found.samples} sample{'s' if found.samples != 1 else ''}"
    if found.findings:
        more = len(found.findings) - 1
        others = f"; and {more} more finding{'s' if more > 1 else ''}" if more else ""
        return f"check FAILED: {samples}: {found.findings[0]}{others}; {_remedy(found)}"
    parts = [part for part in (_worst_layer(found), _spikes(found), _predictions(found)) if part]
    return f"check: {samples}: " + "; ".join(parts or ["all values equal"])


def _remedy(found: Check) -> str:
    options = ", ".join(f"--{width}" for width in found.narrow)
    return (
        f"widen what is narrower than it could be: quantize with more {options}"
        if options
        else WIDEST
    )


def check_document(found: Check) -> dict[str, Any]:
    """Return a check as plain values."""
    predicted = found.predictions
    return {
        "passed": found.passed,
        "samples": found.samples,
        "tolerance": found.tolerance,
        "verdict": verdict(found),
        "findings": [{**vars(finding)} for finding in found.findings],
        "predictions_equal": predicted.equal if predicted else None,
        "predictions": predicted.samples if predicted else None,
    }


def _worst_layer(found: Check) -> str:
    rounded = {n: e for n, e in found.per_layer.items() if not e.exact and not e.spikes}
    if not rounded:
        return ""
    used = {name: float(error.excess(found.tolerance).max()) for name, error in rounded.items()}
    name = max(used, key=lambda key: used[key])
    channel = rounded[name].worst(found.tolerance)
    own = float(rounded[name].shares[channel])
    share = f"{own:.1%} of its range" if math.isfinite(own) else "in silence"
    return (f"largest per-layer error {used[name]:.0%} of what is allowed, at {name} channel"
            f" {channel} ({share})")  # fmt: skip


def _spikes(found: Check) -> str:
    spiking = [e for e in found.end_to_end.values() if e.spikes and not e.output]
    sending = [end for end in spiking if end.expected.any() or end.found.any()]
    if not sending:
        return "no neuron spikes on these data, in neither graph" if spiking else ""
    changed = [(end, end.loudest) for end in sending]
    end, channel = max(
        changed, key=lambda one: abs(math.log((one[0].found[one[1]] + 1)
                                              / (one[0].expected[one[1]] + 1)))
    )  # fmt: skip
    layers = max(other.moved for other in sending)
    return (f"no layer lost or gained more than {layers:.1%} of its spikes, most changed"
            f" {end.node} channel {channel}: {end.expected[channel]:,.0f} ->"
            f" {end.found[channel]:,.0f}")  # fmt: skip


def _predictions(found: Check) -> str:
    predicted = found.predictions
    return f"{predicted.equal} of {predicted.samples} predictions equal" if predicted else ""
