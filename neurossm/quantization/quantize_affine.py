"""Integers of an `Affine` or `Conv2d`: exponents of weights, one for all or one a row or filter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from neurossm.fixed import MESSAGE_BITS, Fixed, Quantized, round_to
from neurossm.nodes import Affine, Conv2d, Frac, Reals, Weighted, quantized
from neurossm.quantization.choices import Around, Choice, explain
from neurossm.quantization.context import QuantizeContext, quantize_node
from neurossm.quantization.rows import (
    graded_frac,
    may_differ,
    rounded,
    shared_sum,
    spike_frac,
    sum_bits,
    weight_frac,
)


@quantize_node.register(Affine)
@quantize_node.register(Conv2d)
def _quantize(node: Weighted, to: QuantizeContext) -> Weighted:
    bits, formats = to.settings.weight_bits, to.arriving.formats
    frac: Frac
    by_row = may_differ(to.graph, to.name)
    if isinstance(node, Conv2d) and node.pools:
        frac = weight_frac(node, bits, graded=True)  # a power of two becomes 1
    elif all(fmt.is_spike for fmt in formats):
        frac = spike_frac(node, bits, by_row)
    else:
        high = sum(fmt.high for fmt in formats)
        frac = graded_frac(node, bits, (high, to.arriving.frac), by_row)
    frac = shared_sum(to.graph, to.name, bits, frac, to.arriving.frac)
    added = frac + to.arriving.frac
    weight = rounded(node.weight, frac, bits, "weights")
    real = np.asarray(node.bias)
    if isinstance(node, Affine):
        real = real + _mean_error(node, weight, to)
    bias = Quantized(round_to(real, added, MESSAGE_BITS), added, MESSAGE_BITS)
    width = to.widest()
    if isinstance(node, Conv2d):  # no wider than its sums: what follows may be synapses again
        width = min(width, sum_bits(weight, bias, formats))
    return replace(node, weight=weight, bias=bias, out=Fixed(width, int(np.min(added))))


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
@explain.register(Conv2d)
def _explain(node: Weighted, made: Weighted, around: Around) -> Iterator[Choice]:
    reason = "ternary: messages are added" if made.only_adds else "the largest weight fits"
    if not isinstance(quantized(made.weight).frac, int):
        each = "row" if isinstance(node, Affine) else "filter"
        reason = f"the largest weight of each {each} fits"
    if isinstance(node, Affine) and node.sparse:
        reason += f"; {made.synapses:,} of {node.synapses:,} synapses are not 0"
    yield around.parameters("weights", made.weight, node.weight, reason)
    if np.any(np.asarray(node.bias)):
        reason = "in the unit of the messages: those of what arrives and of weights"
        yield around.parameters("bias", made.bias, node.bias, reason)
    yield around.messages(made)
