"""Exponents of synapses: one for all, or one a row where what receives them can tell rows apart."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from neurossm.errors import RangeError
from neurossm.fixed import MESSAGE_BITS, Fixed, Quantized, accumulator_bound, fit_frac, round_to
from neurossm.graph import Graph
from neurossm.nodes import Frac, Meets, Role, Weighted

FINEST = 64  # fraction bits, of any format


def weight_frac(node: Weighted, bits: int, *, graded: bool) -> int:
    """Return the fraction bits of synapses that share one exponent: their largest weight just fits.

    Ternary weights that receive graded spikes, all -s, 0 or s with a power of two s, become -1,
    0 and 1: then activations are added and nothing is multiplied. Spikes are added in any case, and
    the bias is finer the more fraction bits the weights have.
    """
    magnitudes = np.abs(np.asarray(node.weight))
    largest = float(magnitudes.max())
    mantissa, exponent = math.frexp(largest)
    if graded and mantissa == 0.5 and np.all((magnitudes == 0) | (magnitudes == largest)):
        return max(min(1 - exponent, FINEST), -FINEST)
    return fit_frac(largest, bits)


def graded_frac(node: Weighted, bits: int, arriving: tuple[int, int], by_row: bool) -> Frac:
    """Return the fraction bits of synapses that receive graded spikes.

    One number, as `weight_frac`, or ``(C,)`` where rows may differ and a small row would be rounded
    in the unit of a large one. No row is so fine that the largest activations there can be would
    saturate its sum, with a bit to spare for the rounding of weights.

    Parameters
    ----------
    node
        Float synapses.
    bits
        Width of the weights.
    arriving
        The largest integer that can arrive over all edges, and the fraction bits it has.
    by_row
        Whether rows may differ.
    """
    shared, (high, frac) = weight_frac(node, bits, graded=True), arriving
    magnitudes, biases = np.abs(np.asarray(node.weight)), np.abs(np.asarray(node.bias))
    if not by_row or not magnitudes.any() or shared != fit_frac(float(magnitudes.max()), bits):
        return shared  # ternary weights: activations are added, nothing is multiplied
    fits = np.full(len(magnitudes), shared)
    for row, (weights, bias) in enumerate(zip(magnitudes, biases, strict=True)):
        sums = float(weights.sum()) * math.ldexp(high, -frac) + float(bias)
        if weights.any() and sums > 0:
            finest = min(fit_frac(float(weights.max()), bits),
                         fit_frac(sums, MESSAGE_BITS - 1) - frac)  # fmt: skip
            fits[row] = max(shared, min(finest, FINEST))
    return fits if np.any(fits > shared) else shared


def spike_frac(node: Weighted, bits: int, by_row: bool) -> Frac:
    """Return the fraction bits of synapses that receive spikes.

    One number, or ``(C,)`` where rows may differ and one that holds the largest weight of all would
    leave some row less than it could have. Biases have the same exponents, in 24 bits: they fit,
    and where a row has no weights they alone decide.
    """
    biases = np.abs(np.asarray(node.bias))
    weights = np.abs(np.asarray(node.weight)).reshape(len(biases), -1).max(axis=1)
    fits = np.array([
        min(fit_frac(float(weight), bits) if weight else FINEST,
            fit_frac(float(bias), MESSAGE_BITS) if bias else FINEST)
        for weight, bias in zip(weights, biases, strict=True)
    ])  # fmt: skip
    used = (weights > 0) | (biases > 0)
    if not used.any():
        return 0
    shared = int(fits[used].min())
    fits = np.where(used, fits, shared)
    return fits if by_row and np.any(fits > shared) else shared


def sum_bits(weight: Quantized, bias: Quantized, arriving: Sequence[Fixed]) -> int:
    """Return the width that holds the largest sums of synapses, at least 2 and at most 24 bits."""
    rows = weight.values.reshape(len(weight.values), -1)
    largest = sum(accumulator_bound(rows, fmt.high) for fmt in arriving)
    largest += int(np.abs(bias.values).max(initial=0))
    return min(max(largest.bit_length() + 1, 2), MESSAGE_BITS)


def may_differ(graph: Graph, name: str) -> bool:
    """Tell whether all that receives a node takes each channel by itself, from nothing else."""
    targets = graph.targets[name]
    return bool(targets) and all(
        (graph.nodes[target].compares or graph.nodes[target].aligns)
        and len(graph.sources[target]) == 1
        for target in targets
    )


def shared_sum(graph: Graph, name: str, bits: int, own: Frac, arriving: int) -> Frac:
    """Return the fraction bits of synapses whose sums are added to those of others at a neuron.

    What meets there has one unit: the finest in which the largest weight of each still fits. Where
    the unit of what arrives is known only when all of them are integers, they keep their own.

    Parameters
    ----------
    graph, name
        Float graph, and the synapses in it.
    bits
        Width of the weights.
    own
        Fraction bits that suit the weights by themselves.
    arriving
        Fraction bits of what they receive.
    """
    others, units, alone = _adding_up(graph, name), list[int](), set[int]()
    for one in sorted({name} | others):
        node, fmt = graph.nodes[one], _sent_to(graph, one)
        if not isinstance(node, Weighted) or fmt is None:
            return own
        graded = weight_frac(node, bits, graded=True)
        alone.add(
            (int(np.min(spike_frac(node, bits, False))) if fmt.is_spike else graded) + fmt.frac
        )
        largest, bias = (float(np.abs(np.asarray(p)).max()) for p in (node.weight, node.bias))
        if largest:
            units.append(weight_frac(node, bits, graded=False) + fmt.frac)
        if bias:
            units.append(fit_frac(bias, MESSAGE_BITS))
    return min(units) - arriving if len(alone) > 1 and units else own


def _adding_up(graph: Graph, name: str) -> set[str]:
    """Return the other nodes whose activations are added to those of a node where they arrive."""
    meeting = [t for t in graph.targets[name] if graph.nodes[t].meets is Meets.ADD]
    return {source for target in meeting for source in graph.sources[target]} - {name}


def _sent_to(graph: Graph, name: str) -> Fixed | None:
    """Return the format of what arrives at a node, if that is known without quantizing."""
    formats = set()
    for source in graph.sources[name]:
        seen: set[str] = set()
        while graph.nodes[source].role is Role.DELAY and source not in seen:
            seen.add(source)
            (source,) = graph.sources[source]
        formats.add(graph.nodes[source].out)
    return formats.pop() if len(formats) == 1 else None


def synapses_behind(graph: Graph, name: str) -> list[tuple[str, Weighted]]:
    """Return the `Affine` and `Conv2d` that receive what a node sends."""
    targets = ((target, graph.nodes[target]) for target in graph.targets[name])
    return [(target, node) for target, node in targets if isinstance(node, Weighted)]


def rounded(values: object, frac: Frac, bits: int, what: str) -> Quantized:
    """Return weights ``(C, ...)`` with one exponent, or one a row, to nearest.

    Raises
    ------
    RangeError
        If weights that are not 0 all become 0, in a row with an exponent of its own or everywhere,
        because no exponent is small enough. What becomes 0 beside larger ones is counted, see
        `neurossm.quantization.losses`.
    """
    real = np.asarray(values, dtype=np.float64)
    shaped = np.asarray(frac).reshape(np.shape(frac) + (1,) * (real.ndim - 1) * np.ndim(frac))
    made = Quantized(round_to(real, shaped, bits), frac, bits)
    before, after = (
        np.any(array.reshape(len(real), -1) != 0, axis=1) for array in (real, made.values)
    )
    gone = before & ~after if np.ndim(frac) else before & ~after.any()
    gone &= np.asarray(frac) == FINEST
    if gone.any():
        row = int(np.flatnonzero(gone)[0])
        raise RangeError(
            what,
            expected=f"weights of at least 2**-{FINEST + 1}, half of the smallest unit there is",
            got=f"at most {np.abs(real[row]).max():g} in row {row}",
            remedy="multiply the weights and biases of each row, and the threshold behind it, by"
            " one power of two: it spikes as before",
        )
    return made
