"""How the synapses of sparse nodes are stored on the cores: `Encoding`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from neurossm.placement.budget import Budget
from neurossm.placement.population import Population


@dataclass(frozen=True)
class Encoding:
    """Memory of the synapses of one sparse node, over all cores.

    Attributes
    ----------
    node
        Its name.
    synapses
        Weights that are not 0.
    words
        Words that are taken: on each core those of the smaller encoding.
    in_sparse, in_dense
        Words if every core had the sparse encoding, or the dense one; the first is None where the
        file of the chip has no sparse encoding.
    cores, sparse_cores
        Slices of neurons that receive them, and those of them in sparse encoding.
    """

    node: str
    synapses: int
    words: int
    in_sparse: int | None
    in_dense: int
    cores: int
    sparse_cores: int

    def __str__(self) -> str:
        """Return a sentence for people."""
        dense, sparse = f"dense: {self.in_dense:,}", f"sparse: {self.in_sparse or 0:,}"
        if self.in_sparse is None:
            how = "dense encoding (the chip's file has no sparse one)"
        elif self.sparse_cores in (0, self.cores):
            how = (
                f"sparse encoding ({dense})" if self.sparse_cores else f"dense encoding ({sparse})"
            )
        else:
            how = (
                f"sparse encoding on {self.sparse_cores} of {self.cores} cores ({sparse}, {dense})"
            )
        return f"{self.node}: {self.synapses:,} synapses in {self.words:,} words, {how}"


def encodings(
    populations: Iterable[tuple[Population, Sequence[tuple[int, int]]]], budget: Budget
) -> tuple[Encoding, ...]:
    """Return the encoding of every sparse node, from populations and their slices on cores."""
    found: dict[str, list[_Part]] = {}
    for population, slices in populations:
        for c in population.inputs:
            if c.own_pattern is not None:
                found.setdefault(c.node, []).extend(
                    (c.own_pattern.synapses(first, stop), c.sparse_words(first, stop, budget),
                     c.dense_words(stop - first, budget)) for first, stop in slices
                )  # fmt: skip
    return tuple(_encoding(node, parts) for node, parts in found.items())


_Part = tuple[int, int | None, int]  # synapses, words in sparse and in dense encoding


def _encoding(node: str, parts: Sequence[_Part]) -> Encoding:
    smaller = [sparse is not None and sparse < dense for _, sparse, dense in parts]
    in_sparse = [sparse for _, sparse, _ in parts if sparse is not None]
    return Encoding(
        node=node,
        synapses=sum(count for count, _, _ in parts),
        words=sum(dense if sparse is None else min(sparse, dense) for _, sparse, dense in parts),
        in_sparse=sum(in_sparse) if len(in_sparse) == len(parts) else None,
        in_dense=sum(dense for _, _, dense in parts),
        cores=len(parts),
        sparse_cores=sum(smaller),
    )
