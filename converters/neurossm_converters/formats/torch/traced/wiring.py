"""Makes the nodes of the rows that are used: as few as possible, each once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from hashlib import blake2b
from typing import Any, TypeVar

import numpy as np

from neurossm.engine.floating import evaluate
from neurossm.nodes import (
    Accumulate,
    Affine,
    BatchNorm,
    Conv2d,
    DiagonalSSM,
    Embedding,
    Node,
    Product,
    Sum,
    Threshold,
)
from neurossm.sparsity import worth
from neurossm_converters.formats.torch.builder import Builder
from neurossm_converters.formats.torch.traced.signals import Reals, Rows, Term, Unfollowed

T = TypeVar("T")


class Wiring:
    """Makes nodes of a builder for rows; the same rows and operation give the same node.

    Parameters
    ----------
    builder
        What the nodes are added to.
    steps
        Length T of a sequence.
    reserved
        Names that are kept for outputs.
    """

    def __init__(self, builder: Builder, steps: int, reserved: Iterable[str] = ()) -> None:
        self.builder, self.steps, self._reserved = builder, steps, frozenset(reserved)
        self._made: dict[Any, Any] = {}

    def free(self, hint: str) -> str:
        """Return a name that is not taken yet."""
        hint, name, count = hint[:180], hint[:180], 1
        while name in self.builder.nodes or name in self._reserved:
            count += 1
            name = f"{hint}.{count}"
        return name

    def once(self, key: Any, make: Callable[[], T]) -> T:
        """Return what `make` returned the first time for this key."""
        if key not in self._made:
            self._made[key] = make()
        made: T = self._made[key]
        return made

    def known(self, key: Any) -> Any:
        """Return what was made for a key, or None."""
        return self._made.get(key)

    def rows_of(self, name: str) -> Rows:
        """Return the channels of a node as rows; those of a `BatchNorm` as scaled ones."""
        node = self.builder.nodes[name]
        channels = node.out_channels
        rows = Rows((Term(name, np.arange(channels), np.ones(channels)),), np.zeros(channels))
        if isinstance(node, BatchNorm):
            sources = [source for source, target in self.builder.edges if target == name]
            rows = self.rows_of(sources[0])
            for source in sources[1:]:
                rows = rows.plus(self.rows_of(source))
            return rows.scaled(np.asarray(node.gain), np.asarray(node.offset))
        return rows

    def add(self, hint: str, node: Node, *sources: str) -> Rows:
        """Add a node; return its channels."""
        return self.rows_of(self.builder.add(self.free(hint), node, *sources))

    def node(self, rows: Rows, hint: str) -> str:
        """Return the name of a node that sends just these rows.

        Raises
        ------
        Unfollowed
            If they depend on no input.
        """
        return str(self.once(("node", rows.key), lambda: self._node(rows, hint)))

    def sender(self, rows: Rows, hint: str) -> str:
        """Return the name of a node that sends just these rows in a format for synapses."""
        return self._sent(self.node(rows, hint))

    def linear(self, rows: Rows, weight: Reals, bias: Reals, hint: str) -> Rows:
        """Return ``weight rows + bias``, as synapses from every node that has a part in it."""
        key = ("linear", rows.key, _digest(weight), _digest(bias))
        return self.once(key, lambda: self._linear(rows, weight, bias, hint))

    def product(self, left: Rows, right: Rows, hint: str) -> Rows:
        """Return the products of rows; of constants with rows where one side is constant."""
        if left.is_constant or right.is_constant:
            constant, other = (left, right) if left.is_constant else (right, left)
            return other.scaled(constant.bias)
        keys = tuple(sorted((left.key, right.key)))
        return self.once(("product", *keys), lambda: self._product(left, right, hint))

    def pointwise(self, what: Any, rows: Rows, node: Callable[[int], Node], hint: str) -> Rows:
        """Return a function of each row by itself; `what` names it with its parameters."""

        def make() -> Rows:
            made = node(rows.size)
            exact = not isinstance(made, Accumulate) and not getattr(made, "max_error", 0.0)
            if rows.is_constant and exact:
                return Rows((), evaluate(made, [rows.bias[None, None]]).sent[0, 0])
            return self.add(hint, made, self.node(rows, f"{hint}.in"))

        return self.once(("pointwise", what, rows.key), make)

    def compared(self, rows: Rows, theta: Reals, hint: str) -> Rows:
        """Return 1 where rows are at least `theta`, 0 elsewhere."""
        what = ("threshold", _digest(theta))
        return self.pointwise(what, rows, lambda _: Threshold(theta=theta), hint)

    def summed(self, rows: Rows, hint: str) -> Rows:
        """Return the running sums of rows over time."""
        what, steps = "accumulate", self.steps
        return self.pointwise(what, rows, lambda n: Accumulate(channels=n, steps=steps), hint)

    def _node(self, rows: Rows, hint: str) -> str:
        if rows.is_constant:
            raise Unfollowed("values that depend on the input", "a constant",
                             "leave it out of the network")  # fmt: skip
        parts, bias = self._grouped(rows), rows.bias
        if len(parts) == 1:
            return self._part(parts[0], bias, hint)
        together = self._together(parts)
        if together is not None:
            names = [part[0].source for part in parts]
            name = self.builder.add(self.free(hint), Sum(channels=rows.size), *names)
            if np.all(together == 1) and not np.any(bias):
                return name
            return self._once_more(BatchNorm(gain=together, offset=bias), hint, name)
        names = []
        for place, part in enumerate(parts):
            plain = self._is_whole(part) and np.all(part[0].gain == 1)
            first = np.any(bias != 0) and (not plain or place == len(parts) - 1)
            names.append(self._part(part, bias if first else 0 * bias, f"{hint}.{place}"))
            bias = 0 * bias if first else bias
        return self.builder.add(self.free(hint), Sum(channels=rows.size), *names)

    def _together(self, parts: list[list[Term]]) -> Reals | None:
        """Return the factors with which whole nodes are added, where all have the same."""
        gain = parts[0][0].gain
        same = all(self._is_whole(part) and np.array_equal(part[0].gain, gain) for part in parts)
        if not same:
            return None
        # synapses take factors for nothing
        nodes = [self.builder.nodes[part[0].source] for part in parts]
        scaled = np.any(gain != 1) and all(isinstance(n, Affine | DiagonalSSM) for n in nodes)
        return None if scaled else gain

    def _grouped(self, rows: Rows) -> list[list[Term]]:
        """Return the terms by the node that they come from."""
        found: dict[str, list[Term]] = {}
        for term in rows.terms:
            found.setdefault(term.source, []).append(term)
        return list(found.values())

    def _is_whole(self, part: list[Term]) -> bool:
        """Tell whether each row is the channel of the same number."""
        channels = self.builder.nodes[part[0].source].out_channels
        same = len(part) == 1 and np.array_equal(part[0].index, np.arange(channels))
        return bool(same)

    def _part(self, part: list[Term], bias: Reals, hint: str) -> str:
        """Return a node for the rows that come from one node."""
        source, gain = part[0].source, part[0].gain
        node = self.builder.nodes[source]
        sources = [one for one, target in self.builder.edges if target == source]
        if self._is_whole(part):
            if np.all(gain == 1) and not np.any(bias):
                return source
            if isinstance(node, Accumulate) and not np.any(bias):
                arriving = self.node(self.rows_of(sources[0]).scaled(gain), f"{hint}.scaled")
                return self.builder.add(self.free(f"{hint}.sum"), node, arriving)
            return self._once_more(BatchNorm(gain=gain, offset=bias), hint, source)
        matrix = self._matrix(part)
        if isinstance(node, Affine):
            weight, shift = np.asarray(node.weight), np.asarray(node.bias)
            chosen = replace(node, weight=matrix @ weight, bias=matrix @ shift + bias)
            return self.builder.add(self.free(f"{source}.rows"), chosen, *sources)
        if isinstance(node, Embedding) and not np.any(bias):
            table = Embedding(table=np.asarray(node.table) @ matrix.T)
            return self.builder.add(self.free(f"{source}.columns"), table, *sources)
        return self._once_more(Affine(weight=matrix, bias=bias), hint, self._sent(source))

    def _sent(self, source: str) -> str:
        """Return a node whose messages synapses can take: one that chooses their format.

        What synapses add up, and running sums, have all their bits; a neuron in between sends as
        many as the synapses behind it have room for.
        """
        if not self._adds_up(source):
            return source

        def make() -> str:
            channels = self.builder.nodes[source].out_channels
            return self.builder.add(self.free(f"{source}.neurons"), Sum(channels=channels), source)

        return str(self.once(("sent", source), make))

    def _adds_up(self, source: str) -> bool:
        """Tell whether what a node sends is what synapses add up, also once norms are folded."""
        node = self.builder.nodes[source]
        if isinstance(node, BatchNorm):
            return any(self._adds_up(s) for s, target in self.builder.edges if target == source)
        if isinstance(node, Conv2d):  # pooling has few bits more than what it adds up
            return not node.pools
        return isinstance(node, Affine | Accumulate)

    def space(self, first: int) -> None:
        """Put neurons between synapses of which one follows the other, from the node `first` on."""
        for name in list(self.builder.nodes)[first:]:
            if isinstance(self.builder.nodes[name], Affine | Conv2d):
                for place, (source, target) in enumerate(list(self.builder.edges)):
                    if target == name:
                        self.builder.edges[place] = (self._sent(source), name)

    def _once_more(self, node: Node, hint: str, source: str) -> str:
        kind = "scaled" if isinstance(node, BatchNorm) else "select"
        return self.builder.add(self.free(f"{hint}.{kind}"), node, source)

    def _matrix(self, part: list[Term]) -> Reals:
        """Return terms of one node as a matrix (F, C)."""
        channels = self.builder.nodes[part[0].source].out_channels
        matrix = np.zeros((len(part[0].index), channels))
        for term in part:
            np.add.at(matrix, (np.arange(len(term.index)), term.index), term.gain)
        return matrix

    def _linear(self, rows: Rows, weight: Reals, bias: Reals, hint: str) -> Rows:
        bias = bias + weight @ rows.bias
        parts = self._grouped(rows)
        together = self._together(parts) if len(parts) > 1 else None
        if together is not None:  # synapses from their sum, not from each of them
            names = [part[0].source for part in parts]
            plain = self.node(self._plain_sum(names, rows.size), f"{hint}.in")
            parts = [[Term(plain, np.arange(rows.size), together)]]
        found = Rows((), bias)
        for place, part in enumerate(parts):
            whole = self._is_whole(part) and np.all(part[0].gain == 1)
            node = Affine(
                weight=weight if whole else weight @ self._matrix(part),
                bias=bias if place == 0 else 0 * bias,
                sparse=worth(weight),
            )
            name = self.free(hint if len(parts) == 1 else f"{hint}.{place}")
            self.builder.add(name, node, self._sent(part[0].source))
            found = (found if place else Rows((), 0 * bias)).plus(self.rows_of(name))
        return found

    def _plain_sum(self, names: list[str], size: int) -> Rows:
        index, one = np.arange(size), np.ones(size)
        return Rows(tuple(Term(name, index, one) for name in names), np.zeros(size))

    def _product(self, left: Rows, right: Rows, hint: str) -> Rows:
        one, two = self.node(left, f"{hint}.left"), self.node(right, f"{hint}.right")
        if one == two:  # an edge can be there once only
            two = self.builder.add(self.free(f"{hint}.copy"), Sum(channels=left.size), one)
        return self.add(hint, Product(channels=left.size), one, two)


def _digest(array: Reals) -> bytes:
    found = np.ascontiguousarray(array, dtype=np.float64)
    return blake2b(str(found.shape).encode() + found.tobytes(), digest_size=16).digest()
