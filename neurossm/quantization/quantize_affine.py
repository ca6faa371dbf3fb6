"""Integers of an `Affine`: exponents of its weights, one for all or one a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from neurossm.fixed import MESSAGE_BITS, Fixed, Quantized, round_to
from neurossm.nodes import Affine, Frac, Reals, quantized
from neurossm.quantization.choices import Around, Choice, explain
from neurossm.quantization.context import QuantizeContext, quantize_node
from neurossm.quantization.rows import graded_frac, may_differ, rounded, spike_frac


@quantize_node.register(Affine)
def _quantize(node: Affine, to: QuantizeContext) -> Affine:
    bits, formats = to.settings.weight_bits, to.arriving.formats
    frac: Frac
    by_row = may_differ(to.graph, to.name)
    if all(fmt.is_spike for fmt in formats):
        frac = spike_frac(node, bits, by_row)
    else:
        high = sum(fmt.high for fmt in formats)
        frac = graded_frac(node, bits, (high, to.arriving.frac), by_row)
    added = frac + to.arriving.frac
    weight = rounded(node.weight, frac, bits, "weights")
    bias = np.asarray(node.bias) + _mean_error(node, weight, to)
    return replace(
        node,
        weight=weight,
        bias=Quantized(round_to(bias, added, MESSAGE_BITS), added, MESSAGE_BITS),
        out=Fixed(to.widest(), int(np.min(added))),
    )


def _mean_error(node: Affine, weight: Quantized, to: QuantizeContext) -> Reals | float:
    """Return what rounding the weights takes from the mean of each output, ``(C,)``.

    Behind what activates: a ReLU's activations are not 0 on average, so what a row is off by stays
    there at every step, and slow states add it up. 0 where calibration saw no means.

    Source: bias correction, Nagel, van Baalen, Blankevoort, Welling, 2019 (arXiv 1906.04721).
    """
    means, sources = to.rules.ranges.means, to.graph.sources[to.name]
    if not all(source in means for source in sources):
        return 0.0
    arriving = np.sum([means[source] for source in sources], axis=0)
    return np.asarray((np.asarray(node.weight) - weight.dequantize()) @ arriving)


@explain.register(Affine)
def _explain(node: Affine, made: Affine, around: Around) -> Iterator[Choice]:
    reason = "ternary: messages are added" if made.only_adds else "the largest weight fits"
    if not isinstance(quantized(made.weight).frac, int):
        reason = "the largest weight of each row fits"
    yield around.parameters("weights", made.weight, node.weight, reason)
    if np.any(np.asarray(node.bias)):
        reason = "in the unit of the messages: those of what arrives and of weights"
        yield around.parameters("bias", made.bias, node.bias, reason)
    yield around.messages(made)
