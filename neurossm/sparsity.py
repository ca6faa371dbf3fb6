"""Which weights pruning keeps: by magnitude, over all layers, in each, or as ERK shares them out.

Layers are matrices ``(out, in)``. Sources: magnitude pruning, Han et al., NeurIPS 2015; the
Erdos-Renyi distribution of Mocanu et al., Nature Communications 9, 2018, as Evci et al. scale it
(RigL, ICML 2020); the cubic schedule, Zhu and Gupta, arXiv 1710.01878.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.arguments import shown
from neurossm.errors import InputError, nearest

SCOPES = ("erk", "layer", "global")
# as many zeros as make a matrix worth to be called sparse, and the least size of one: its file is
# smaller from half on, and a chip's memory from two thirds on
MOST, LEAST_SIZE = 0.5, 64
Masks = dict[str, NDArray[np.bool_]]


@dataclass(frozen=True)
class LayerDensity:
    """How many weights a layer has, and how many of them are not 0."""

    name: str
    weights: int
    kept: int

    @property
    def density(self) -> float:
        """Share of the weights that are not 0."""
        return self.kept / self.weights


def densities_of(weights: Mapping[str, NDArray[Any]]) -> tuple[LayerDensity, ...]:
    """Return how many weights of each layer are not 0."""
    return tuple(
        LayerDensity(name, w.size, int(np.count_nonzero(w))) for name, w in weights.items()
    )


def check_sparsity(where: str, sparsity: object, scope: object) -> None:
    """Raise `InputError` for a share of zeros outside of 0 to below 1, or a scope there is not."""
    number = isinstance(sparsity, int | float) and not isinstance(sparsity, bool)
    if not number or not 0 <= sparsity < 1:  # type: ignore[operator]  # a number by now
        raise InputError(where, expected="a share of zeros from 0 to below 1", got=shown(sparsity))
    if scope not in SCOPES:
        raise InputError(f"{where} scope", expected=" | ".join(SCOPES), got=shown(scope))


def worth(weight: NDArray[Any]) -> bool:
    """Tell whether a matrix has so few weights that are not 0 that it is to be called sparse."""
    kept = int(np.count_nonzero(weight))
    return 0 < kept <= MOST * weight.size and weight.size >= LEAST_SIZE


def chosen(where: str, names: Iterable[str], patterns: Iterable[str]) -> list[str]:
    """Return the names of layers that patterns such as ``blocks.*`` ask for; all without patterns.

    Raises
    ------
    InputError
        If a pattern matches none, or there is no layer at all.
    """
    known, patterns = list(names), list(patterns)
    if not known:
        raise InputError(where, expected="a layer with weights to prune", got="none")
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in known):
            remedy = nearest(pattern, known, "* stands for any letters")
            expected = f"layers of {', '.join(known)}"
            raise InputError(where, expected=expected, got=repr(pattern), remedy=remedy)
    return [n for n in known if not patterns or any(fnmatchcase(n, p) for p in patterns)]


def masks(
    weights: Mapping[str, NDArray[Any]],
    sparsity: float,
    scope: str = "erk",
    complex_rows: Collection[str] = (),
) -> Masks:
    """Return for each layer which weights are kept: those of the largest magnitudes.

    Parameters
    ----------
    weights
        Name of each layer to its weights ``(out, in)``.
    sparsity
        Share of all weights that becomes 0, 0 to below 1.
    scope
        Where magnitudes are compared. ``global``: in all layers together. ``layer``: in each, which
        loses the same share. ``erk``: in each, which keeps a share in proportion to
        ``(out + in) / (out in)``, at most all: small layers keep more.
    complex_rows
        Names of layers whose row i and row ``out / 2 + i`` are the real and the imaginary part of
        one complex row: both parts of a weight are kept or neither, by its magnitude. A state that
        only one part drives would have another part of exactly 0 at its first step.

    Returns
    -------
    dict
        ``(out, in)`` each. Of equal magnitudes the first are kept; a layer keeps one at least.

    Raises
    ------
    InputError
        For another sparsity or scope, or without a weight.
    """
    check_sparsity("sparsity", sparsity, scope)
    if not weights or any(weight.size == 0 for weight in weights.values()):
        raise InputError("sparsity", expected="layers with weights", got="none")
    sizes = {n: _magnitudes(w) if n in complex_rows else np.abs(w) for n, w in weights.items()}
    if scope == "global":
        found = _global(sizes, sparsity)
    else:
        shares = densities({name: w.shape for name, w in weights.items()}, sparsity, scope)
        found = {n: _largest(w, max(1, round(shares[n] * w.size))) for n, w in sizes.items()}
    return {n: _in_pairs(kept) if n in complex_rows else kept for n, kept in found.items()}


def densities(
    shapes: Mapping[str, tuple[int, ...]], sparsity: float, scope: str = "erk"
) -> dict[str, float]:
    """Return the share of its weights that each layer keeps, by ``layer`` or ``erk``.

    Examples
    --------
    Of 104 weights 26 are kept. The small layer would keep more than it has, so it keeps all of its
    4, and the large one the other 22.

    >>> shares = densities({"small": (2, 2), "large": (10, 10)}, 0.75)
    >>> {name: round(share, 6) for name, share in shares.items()}
    {'small': 1.0, 'large': 0.22}
    """
    check_sparsity("sparsity", sparsity, scope)
    sizes = {name: int(np.prod(shape)) for name, shape in shapes.items()}
    if scope != "erk":
        return dict.fromkeys(shapes, 1.0 - sparsity)
    kept = (1.0 - sparsity) * sum(sizes.values())
    raw = {name: sum(shape) / sizes[name] for name, shape in shapes.items()}
    whole: set[str] = set()
    while True:
        rest = [name for name in shapes if name not in whole]
        left = kept - sum(sizes[name] for name in whole)
        factor = left / sum(raw[name] * sizes[name] for name in rest) if rest else 0.0
        above = {name for name in rest if factor * raw[name] > 1}
        if not above:
            return {name: 1.0 if name in whole else factor * raw[name] for name in shapes}
        whole |= above


def sparsity_at(step: int, first: int, last: int, sparsity: float) -> float:
    """Return the share of zeros after so many steps: none up to `first`, all of it from `last` on.

    In between ``sparsity (1 - (1 - (step - first) / (last - first))**3)``: fast while there is much
    to remove, then slower.
    """
    if step >= last:
        return sparsity
    done = max(step - first, 0) / (last - first)
    return float(sparsity * (1.0 - (1.0 - done) ** 3))


def _magnitudes(weight: NDArray[Any]) -> NDArray[Any]:
    """Return of both parts of each complex weight the magnitude of the weight."""
    size = np.hypot(*np.split(weight, 2))
    return np.concatenate([size, size])


def _in_pairs(kept: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the same without a last weight of which one part was too many."""
    real, imaginary = np.split(kept, 2)  # of two equal magnitudes the first is kept first
    both = real & imaginary if np.any(real & imaginary) else real
    return np.concatenate([both, both])


def _global(weights: Mapping[str, NDArray[Any]], sparsity: float) -> Masks:
    every = np.concatenate([np.abs(weight).ravel() for weight in weights.values()])
    kept = _largest(every, max(1, round((1.0 - sparsity) * every.size)))
    found, at = Masks(), 0
    for name, weight in weights.items():
        found[name] = kept[at : at + weight.size].reshape(weight.shape)
        at += weight.size
        if not found[name].any():  # a layer without synapses would cut the network in two
            found[name] = _largest(weight, 1)
    return found


def _largest(weight: NDArray[Any], count: int) -> NDArray[np.bool_]:
    """Return where the `count` largest magnitudes are; of equal ones the first."""
    order = np.argsort(-np.abs(weight).ravel(), kind="stable")
    kept = np.zeros(weight.size, np.bool_)
    kept[order[:count]] = True
    return kept.reshape(weight.shape)
