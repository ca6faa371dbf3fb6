"""Integers of an `Affine`: exponents of its weights, one for all or one a row."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from neurossm.fixed import MESSAGE_BITS, Fixed, Quantized, round_to
from neurossm.nodes import Affine, Frac, quantized
from neurossm.quantization.choices import Around, Choice, explain
from neurossm.quantization.context import QuantizeContext, quantize_node
from neurossm.quantization.rows import graded_frac, may_differ, rounded, shared_sum, spike_frac


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
    frac = shared_sum(to.graph, to.name, bits, frac, to.arriving.frac)
    added = frac + to.arriving.frac
    return replace(
        node,
        weight=rounded(node.weight, frac, bits, "weights"),
        bias=Quantized(round_to(np.asarray(node.bias), added, MESSAGE_BITS), added, MESSAGE_BITS),
        out=Fixed(to.widest(), int(np.min(added))),
    )


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
