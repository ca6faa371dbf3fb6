"""What all cells share: time, waiting, state that begins anew with each sample, recording."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurossm.fixed import MESSAGE_BITS, saturate
from neurossm_converters.backends.lava.record import Frame, Integers, Recorder

Words = NDArray[np.int32]
Parameters = Mapping[str, NDArray[np.integer]]
Samples = slice | NDArray[np.int64]  # those that a step is made for


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


class Cell(ABC):
    """Base of the cells: one node at work.

    It does nothing before its own latency has passed, so that its first update sees the first step
    of the first sample; its state begins at zero with each sample. A sequence that has ended takes
    no part in the steps of those beside it.

    Parameters
    ----------
    recorder
        Where it writes down; holds its place in the run.
    parameters
        Name to integers, as `variables.variables_of` returns them.
    """

    states: ClassVar[tuple[str, ...]] = ()

    def __init__(self, recorder: Recorder, parameters: Parameters) -> None:
        self.recorder, self.frame = recorder, recorder.frame
        self.state: dict[str, Integers] = {}
        self._parameters = parameters
        self._place: tuple[slice, int] | None = None
        self._running = np.zeros(0, np.int64)  # samples whose rows the state has
        self._waiting: list[deque[Words]] = [deque() for _ in self.frame.delays]

    def integers(self, name: str) -> Integers:
        """Return a parameter as 64-bit integers of at least one dimension."""
        return np.atleast_1d(np.asarray(self._parameters[name], dtype=np.int64))

    def number(self, name: str) -> int:
        """Return a parameter that is one number."""
        return int(self.integers(name).item())

    def advance(self, network_step: int, arriving: list[Words]) -> Words:
        """Make one network step: what arrived on each edge in, what is sent out; ``(S, C)``.

        Raises
        ------
        NodeFailed
            For whatever the arithmetic raises.
        """
        frame = self.frame
        try:
            frame.strike(network_step)
            operands = self._after_waiting(arriving)
            self._place = frame.place(network_step)
            if self._place is None:
                sent = np.zeros((frame.stacked, frame.channels), np.int32)
            else:
                sent = self._step(operands, *self._place)
        except Exception as error:  # whichever it is, the node has to be named
            raise failed(frame, error) from error
        self.recorder.done(network_step)
        return sent

    def finish(self) -> None:
        """Write down the states where a sample ends, and the rest after the last one."""
        if self._place is None:
            return
        samples, step = self._place
        ended = self.frame.ending(self._running, step)
        if ended.any():
            for name in self.kept():
                self.recorder.keep(name, self._running[ended], self.state[name][ended])
            self._running, self.state = self._running[~ended], self.remaining(~ended)
        if step == self.frame.steps - 1 and samples.stop == self.frame.samples:
            self.recorder.close()

    def _step(self, operands: list[Words], samples: slice, step: int) -> Words:
        stacked = self.frame.stacked
        if step == 0:
            self._running = np.arange(samples.start, samples.stop)
            self.state = self.initial(len(self._running))
        if len(self._running) == stacked:
            values = self.update(operands, samples, step)
            self.recorder.message(samples, step, values)
            return values.astype(np.int32)
        # the last group may have fewer samples, and sequences of any may have ended
        sent = np.zeros((stacked, self.frame.channels), np.int32)
        if len(self._running):
            rows = self._running - samples.start
            values = self.update([operand[rows] for operand in operands], self._running, step)
            self.recorder.message(self._running, step, values)
            sent[rows] = values
        return sent

    @abstractmethod
    def update(self, operands: list[Words], samples: Samples, step: int) -> Integers:
        """Return the messages of one logical step, ``(samples, C)``, from those that arrived."""

    def initial(self, rows: int) -> dict[str, Integers]:
        """Return the states before the first step of `rows` samples."""
        return {}

    def kept(self) -> tuple[str, ...]:
        """Return the names of the states that are written down at the end of a sample."""
        return self.states

    def remaining(self, rows: NDArray[np.bool_]) -> dict[str, Integers]:
        """Return the states of those samples that go on."""
        return {name: array[rows] for name, array in self.state.items()}

    def count_arrivals(self, operands: list[Words]) -> None:
        """Count the messages that are not zero."""
        self.recorder.spikes_in += sum(int(np.count_nonzero(operand)) for operand in operands)

    def entering(self, operands: list[Words]) -> Integers:
        """Return the sum of messages that converge, saturated on entry to the neuron."""
        total = together(operands)
        return total if len(operands) == 1 else self.clipped(total, MESSAGE_BITS)

    def clipped(self, values: Integers | NDArray[np.float64], bits: int) -> Integers:
        """Saturate and count."""
        result, count = saturate(values, bits)
        self.recorder.saturations += count
        return result

    def _after_waiting(self, arriving: list[Words]) -> list[Words]:
        arrived = []
        for message, delay, queue in zip(arriving, self.frame.delays, self._waiting, strict=True):
            if not delay:
                arrived.append(message)
                continue
            queue.append(message)
            arrived.append(queue.popleft() if len(queue) > delay else np.zeros_like(message))
        return arrived


def recorder_of(frame: Frame) -> Recorder:
    """Return the recorder of a node at the beginning of a run.

    Raises
    ------
    NodeFailed
        If its files cannot be made.
    """
    try:
        frame.strike(0)
        return Recorder(frame)
    except Exception as error:  # whichever it is, the node has to be named
        raise failed(frame, error) from error


def failed(frame: Frame, error: Exception) -> NodeFailed:
    """Return the error that names the node."""
    return NodeFailed(frame.node, f"{type(error).__name__}: {error}")


def scaled(mantissas: ArrayLike, right: ArrayLike) -> NDArray[np.float64]:
    """Return ``mantissas * 2**-right``, exact, for `neurossm.fixed.multiply_shift`."""
    return np.asarray(np.ldexp(np.asarray(mantissas, np.float64), -np.asarray(right)))


def together(operands: list[Words]) -> Integers:
    """Return the exact sum of what arrives on the edges, in a new array."""
    total = operands[0].astype(np.int64)
    for operand in operands[1:]:
        total += operand
    return total
