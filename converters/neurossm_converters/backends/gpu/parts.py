"""Batch sizes: how many samples and steps run together, as many as the memory holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from neurossm.graph import Graph
from neurossm.lengths import Lengths

MESSAGE_BYTES, STATE_BYTES, INPUT_BYTES = 4, 8, 8
HOST_BYTES = 2**29  # of inputs and values of a part, in the memory of the CPU
WORKSPACE = 2**28  # what operations hold of a piece of rows, see `form.PIECE`


@dataclass(frozen=True, eq=False)
class Part:
    """Samples that run together: which, their longest sequence, and steps of a block."""

    samples: slice | NDArray[np.int64]
    length: int
    steps: int

    @property
    def count(self) -> int:
        """How many samples."""
        which = self.samples
        return which.stop - which.start if isinstance(which, slice) else len(which)

    def halves(self) -> tuple[Part, ...]:
        """Return it in two parts that need half the memory; none where it cannot be less."""
        which, middle = self.samples, self.count // 2
        if middle:
            if isinstance(which, slice):
                cut = which.start + middle
                two: tuple[slice | NDArray[np.int64], ...] = (
                    slice(which.start, cut), slice(cut, which.stop)
                )  # fmt: skip
            else:
                two = (which[:middle], which[middle:])
            return tuple(replace(self, samples=half) for half in two)
        return (replace(self, steps=-(-self.steps // 2)),) if self.steps > 1 else ()

    def blocks(self) -> Iterator[slice]:
        """Yield the steps, block after block."""
        for start in range(0, self.length, self.steps):
            yield slice(start, min(start + self.steps, self.length))


def bytes_a_step(graph: Graph, record: tuple[str, ...]) -> int:
    """Return the bytes of messages that a step of a sample takes, at most at one time."""
    last = dict.fromkeys(graph.order, 0)
    for index, block in enumerate(graph.blocks):
        for name in block:
            last |= dict.fromkeys((name, *graph.sources[name]), index)
    held, most = 0, 0
    for index, block in enumerate(graph.blocks):
        held += sum(graph.nodes[name].out_channels for name in block)
        most = max(most, held)
        gone = [name for name, when in last.items() if when == index and name not in record]
        held -= sum(graph.nodes[name].out_channels for name in gone)
    # what joins edges, or changes the place of channels, makes one more copy of its messages
    widest = max(node.out_channels for node in graph.nodes.values())
    inputs = sum(graph.nodes[name].out_channels for name in graph.inputs)
    return MESSAGE_BYTES * (most + 2 * widest) + INPUT_BYTES * inputs


def together(
    graph: Graph, size: tuple[int, int], record: tuple[str, ...], free: int, asked: int
) -> tuple[int, int]:
    """Return how many samples run together, and how many steps of them in one block.

    Parameters
    ----------
    size
        Samples and steps.
    record
        Names of the nodes whose values are kept.
    free
        Bytes that exist.
    asked
        Samples that the user asks for; 0: as many as there is room for.
    """
    samples, steps = size
    states = STATE_BYTES * sum(node.states for node in graph.nodes.values())
    step, room = bytes_a_step(graph, record), max(0, free - WORKSPACE)
    outside = sum(graph.nodes[name].out_channels for name in {*graph.inputs, *record})
    on_host = max(1, HOST_BYTES // (INPUT_BYTES * outside * steps))
    fitting = min(on_host, max(1, room // (states + step * steps)))
    found = min(samples, asked or fitting)
    left = (room - found * states) // (found * step)
    return found, max(1, min(steps, left))


def parts(
    lengths: Lengths | None, size: tuple[int, int], samples: int, steps: int
) -> list[Part]:  # fmt: skip
    """Return the parts of all samples, `samples` in each; where lengths differ the shortest first.

    Sequences of about one length run together: what is past the end of one is computed for nothing.
    """
    count, length = size
    starts = range(0, count, samples)
    if lengths is None:
        return [Part(slice(i, min(i + samples, count)), length, steps) for i in starts]
    order = np.argsort(lengths, kind="stable")
    chosen = [order[i : i + samples] for i in starts]
    return [Part(which, int(lengths[which].max()), steps) for which in chosen]
