"""Runs a node: its time, its delay, its state that is reset for each sample, its recording."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm_chip.cell import Cell, State
from neurossm_converters.backends.lava.record import Frame, Integers, Recorder

Words = NDArray[np.int32]
Rows = slice | NDArray[np.int64]  # of those side by side, the samples that a step is made for
ALL = slice(None)


class NodeFailed(RuntimeError):
    """The arithmetic of a node raised; its arguments alone travel between processes.

    Parameters
    ----------
    node
        Name of the node.
    reason
        Type and message of what was raised.
    """

    def __init__(self, node: str, reason: str) -> None:
        super().__init__(node, reason)
        self.node, self.reason = node, reason


@dataclass(frozen=True)
class Program:
    """What a node computes.

    Attributes
    ----------
    cell
        Its arithmetic.
    values
        Its parameters.
    weights
        Of synapses that it has inside, ``(out, in)``, of a convolution as a sparse matrix: messages
        arrive, not their weighted sums.
    plays
        Whether it plays the integers of an `Input`, which lie in a file beside its records.
    kept
        Parts of its state that are written down at the end of a sample.
    """

    cell: type[Cell]
    values: Mapping[str, Any]
    weights: Any
    plays: bool
    kept: tuple[str, ...]


class NodeAtWork:
    """A node during a run.

    It does nothing before its own latency has passed, so that its first update sees the first step
    of the first sample; its state begins at zero with each sample. A sequence that has ended takes
    no part in the steps of those beside it.

    Parameters
    ----------
    frame
        Its place in the run.
    program
        What it computes.

    Raises
    ------
    NodeFailed
        If its files cannot be made.
    """

    def __init__(self, frame: Frame, program: Program) -> None:
        self.frame, self._program = frame, program
        try:
            self.recorder = Recorder(frame)
            self._cell = program.cell(dict(program.values), frame.channels)
            # a plain array over the map: indexing a np.memmap makes an object of its class
            file = frame.file("input")
            played = np.load(file, "r", allow_pickle=False) if program.plays else np.zeros(0)
            self._played = np.asarray(played)
        except Exception as error:  # whichever it is, the node has to be named
            raise self._failed(error) from error
        self._columns = None
        if program.weights is not None:
            # NumPy multiplies integer matrices slowly; float64 is exact below 2**53, and the
            # contract bounds every sum below 2**31
            columns = program.weights.T.astype(np.float64)
            dense = isinstance(columns, np.ndarray)
            self._columns = np.ascontiguousarray(columns) if dense else columns.tocsr()
        self._state: State = {}
        self._place: tuple[slice, int] | None = None
        self._running = np.zeros(0, np.int64)  # samples whose rows the state has
        self._waiting: list[deque[Words]] = [deque() for _ in frame.delays]

    def advance(self, network_step: int, arriving: list[Words]) -> Words:
        """Make one network step: what arrived on each edge in, what is sent out; ``(S, C)``.

        Raises
        ------
        NodeFailed
            For whatever the arithmetic raises.
        """
        try:
            operands = self._after_waiting(arriving)
            sent = self._at(network_step, lambda rows: self._update(operands, rows))
        except Exception as error:  # whichever it is, the node has to be named
            raise self._failed(error) from error
        self.recorder.done(network_step)
        return sent

    def send(self, network_step: int) -> Words:
        """Return what a late node in a loop sends at a network step, as `advance` does."""
        try:
            return self._at(network_step, lambda _: self._cell.send(self._state))
        except Exception as error:
            raise self._failed(error) from error

    def take(self, network_step: int, arriving: list[Words]) -> None:
        """Take what arrives at the step that `send` has begun."""
        try:
            operands = self._after_waiting(arriving)
            if self._place is not None and len(self._running):
                rows = self._running - self._place[0].start
                self._cell.take(self._state, [operand[rows] for operand in operands])
        except Exception as error:
            raise self._failed(error) from error
        self.recorder.done(network_step)

    def finish(self) -> None:
        """Write down the states where a sample ends, and the rest after the last one."""
        if self._place is None:
            return
        samples, step = self._place
        ended = self.frame.ending(self._running, step)
        if ended.any():
            parts = self._cell.parts(self._state)
            for name in self._program.kept:
                self.recorder.keep(name, self._running[ended], parts[name][ended])
            self._running = self._running[~ended]
            self._state = {name: array[~ended] for name, array in self._state.items()}
        if step == self.frame.steps - 1 and samples.stop == self.frame.samples:
            self.recorder.close(self._cell.saturations)

    def _at(self, network_step: int, made: Callable[[Rows], Integers]) -> Words:
        """Return what `made` sends for the samples that run at this step, and zeros beside it."""
        frame = self.frame
        batch = frame.batch
        self._place = frame.place(network_step)
        if self._place is None:
            return np.zeros((batch, frame.channels), np.int32)
        samples, step = self._place
        if step == 0:
            self._running = np.arange(samples.start, samples.stop)
            self._state = self._cell.initial(len(self._running))
        if len(self._running) == batch:
            values = made(ALL)
            self.recorder.message(samples, step, values)
            return values.astype(np.int32)
        # the last group may have fewer samples, and sequences of any may have ended
        sent = np.zeros((batch, frame.channels), np.int32)
        if len(self._running):
            rows = self._running - samples.start
            values = made(rows)
            self.recorder.message(self._running, step, values)
            sent[rows] = values
        return sent

    def _update(self, operands: list[Any], rows: Rows) -> Integers:
        if self._program.plays and self._place is not None:
            samples, step = self._place
            operands = [self._played[samples, step][rows]]
        elif self._columns is None:
            operands = operands if rows is ALL else [operand[rows] for operand in operands]
        else:
            messages = operands[0][rows].astype(np.float64)
            for more in operands[1:]:
                messages += more[rows]
            operands = [messages @ self._columns]
        values: Integers = self._cell.update(self._state, operands)
        return values

    def _after_waiting(self, arriving: list[Words]) -> list[Words]:
        arrived = []
        for message, delay, queue in zip(arriving, self.frame.delays, self._waiting, strict=True):
            if not delay:
                arrived.append(message)
                continue
            queue.append(message)
            arrived.append(queue.popleft() if len(queue) > delay else np.zeros_like(message))
        return arrived

    def _failed(self, error: Exception) -> NodeFailed:
        return NodeFailed(self.frame.node, f"{type(error).__name__}: {error}")
