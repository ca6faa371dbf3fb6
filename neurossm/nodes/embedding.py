"""Synapses of one-hot spikes: rows of a table, by token."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Self

import numpy as np

from neurossm.fixed import WEIGHT_BITS, Fixed
from neurossm.nodes.arriving import Arriving, Finding, Quantizing, same
from neurossm.nodes.dense import DenseOperations
from neurossm.nodes.node import Node, format_of, node
from neurossm.nodes.parameter import parameter
from neurossm.nodes.span import FanIn, Found, Span
from neurossm.nodes.step import Carried, Change, Evaluated, Integers, Reals, Step
from neurossm.nodes.traits import Meets, Role
from neurossm.nodes.values import Array, integers, quantized, reals


@node
class Embedding(Node):
    """Look-up of tokens: ``y = table[u]``, one channel in, C out.

    ``u`` is a token, a whole number from 0 to V - 1, straight from an `Input` that feeds nothing
    but embeddings. A token is a name and no quantity: 0 is an activation as any other. Anything
    outside the table is refused before a run. On a chip this is the synapses of a one-hot spike, so
    every token counts as C synaptic operations; nothing is multiplied.

    Integer: 8-bit mantissas, sent as they are: ``out.frac = table.frac``.

    Parameters
    ----------
    table
        ``(V, C)``, a row a token; one exponent for the tensor.
    """

    table: Array = parameter(
        "VC", exponent="own", bits="weight_bits", most=WEIGHT_BITS, label="table",
        reason="the largest entry fits",
    )  # fmt: skip

    role: ClassVar[Role] = Role.SYNAPSES
    meets: ClassVar[Meets] = Meets.ONE
    operands: ClassVar[int] = 1
    reads_tokens: ClassVar[bool] = True
    message_reason: ClassVar[str] = "rows are sent as they are"
    nir: ClassVar[str] = "NIR has no look-up of tokens"

    @property
    def in_channels(self) -> int:
        """One, the token."""
        return 1

    @property
    def out_channels(self) -> int:
        """C, columns of the table."""
        return self.table.shape[1]

    @property
    def tokens(self) -> int:
        """V, rows of the table."""
        return self.table.shape[0]

    @property
    def updates(self) -> int:
        """None, as for `Affine`."""
        return 0

    def check(self, at: Arriving) -> Iterator[Finding]:
        """Yield where activations are not the rows as they are."""
        table, out = quantized(self.table), format_of(self)
        yield from same("output exponent", int(np.max(table.frac)), out.frac)
        if out.bits < table.bits:
            yield f"messages as wide as the table, {table.bits} bits", f"{out.bits} bits"

    def quantize(self, to: Quantizing) -> Self:
        """Return the table as integers, sent as they are."""
        table = to.parameter("table", None)
        return replace(self, table=table, out=Fixed(table.bits, int(np.max(table.frac))))

    def bound(self, at: FanIn) -> Found:
        """Return the ends of each column."""
        table = reals(self.table)
        return Span(table.min(axis=0), table.max(axis=0)), ()

    def notices(self, at: Change) -> Reals:
        """Return 0: tokens are exact, or another token."""
        return np.zeros(1)

    def dense(self, operands: int) -> DenseOperations:
        """Return none: looking up a row is not counted."""
        return DenseOperations()

    @property
    def extent(self) -> str:
        """Tokens and channels."""
        return f"{self.tokens} tokens → {self.out_channels}"

    def step(self, at: Step) -> Integers:
        """Look up the rows."""
        (tokens,) = at.operands
        at.count(syn_ops=tokens.size * self.out_channels)
        return integers(self.table)[tokens[:, 0]]

    def evaluate(self, operands: list[Reals], state: Carried | None = None) -> Evaluated:
        """Look up the rows; tokens are whole, as an `Input` of them has no fraction bits."""
        return Evaluated(reals(self.table)[operands[0][:, :, 0].astype(np.int64)], {})
