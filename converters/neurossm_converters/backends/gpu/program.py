"""An integer graph as a program on tensors of a device, for `run` and for training.

The graph runs a node over a whole block of samples and steps before the next one starts, as on the
fast engine; nodes that feed each other run together, a step at a time. States may be carried from
one block of steps to the next.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurossm.counts import Counts
from neurossm.engine.edges import Edges
from neurossm.fixed import MESSAGE_BITS, symmetric_limit
from neurossm.graph import Graph
from neurossm.nodes import Meets, Role
from neurossm_converters.backends.gpu.arithmetic import saturated
from neurossm_converters.backends.gpu.device import Device
from neurossm_converters.backends.gpu.form import (
    MULTIPLIES,
    SATURATIONS,
    SYN_OPS,
    Block,
    Form,
    State,
)
from neurossm_converters.backends.gpu.host import HostForm
from neurossm_converters.backends.gpu.nodes import FORMS

FIRED = 3  # the fourth column of the counters: messages sent
Messages = dict[str, Tensor]
Size = tuple[int, int]


@dataclass(frozen=True, eq=False)
class Program:
    """A graph prepared for a device.

    Attributes
    ----------
    graph, device
        An integer graph that keeps the contract, and where it runs.
    forms
        Of every node but the inputs.
    """

    graph: Graph
    device: Device
    forms: Mapping[str, Form[Any]]

    @classmethod
    def of(cls, graph: Graph, device: Device) -> Program:
        """Prepare a graph."""
        forms = {
            name: FORMS.get(type(node), HostForm)(node, Edges.of(graph, name), device)
            for name in graph.order
            if (node := graph.nodes[name]).role is not Role.INPUT
        }
        return cls(graph, device, forms)

    @property
    def on_the_host(self) -> tuple[str, ...]:
        """Names of the nodes that have no form on a device."""
        return tuple(name for name, form in self.forms.items() if form.host)

    def initial_states(self, samples: int) -> dict[str, State]:
        """Return the states of all nodes before the first step, zeros."""
        return {
            name: {
                part: torch.zeros((samples, *shape), dtype=torch.int64, device=self.device.place)
                for part, shape in self.graph.nodes[name].state_parts().items()
            }
            for name in self.forms
        }

    def no_counts(self) -> Tensor:
        """Return counters of all nodes, ``(nodes, 4)`` int64 in the order of the graph, zeros."""
        return torch.zeros((len(self.graph.order), 4), dtype=torch.int64, device=self.device.place)

    def run(
        self,
        inputs: Mapping[str, Tensor],
        record: tuple[str, ...],
        states: Mapping[str, State],
        counts: Tensor,
        ends: Tensor | None = None,
    ) -> Messages:
        """Run over a block of samples and steps; nothing leaves the device.

        Parameters
        ----------
        inputs
            What comes in, by the name of the `Input`: integers ``(S, T, C)`` on the device, in the
            range of their format, 0 behind the ends. Not checked.
        record
            Names of the nodes whose messages to return.
        states, counts
            As `initial_states` and `no_counts` made them, or an earlier block left them: they go on
            in place.
        ends
            Steps of each sequence in this block, ``(S,)`` int32, 0 to T; None: all have T.

        Returns
        -------
        Messages
            Name of each recorded node to what it sent, int32 ``(S, T, C)``, 0 behind the ends.
        """
        with self.device.current():
            messages: Messages = {}
            active: Messages = {}
            samples, steps, _ = next(iter(inputs.values())).shape
            size = (samples, steps)
            for block, gone in zip(self.graph.blocks, self._last_use(record), strict=True):
                if block in self.graph.loops:
                    self._loop(block, size, messages, states, counts, ends)
                elif block[0] in inputs:
                    messages[block[0]] = inputs[block[0]].int().contiguous()
                else:
                    operands = [messages[source] for source in self.graph.sources[block[0]]]
                    messages[block[0]] = self._step(block[0], operands, size, states, counts, ends)
                for name in block:
                    tokens = name in self.graph.vocabularies
                    active[name] = _active(messages[name], ends, tokens)
                for name in gone:
                    del messages[name]
            self._count(active, counts)
            return messages

    def totals(self, counts: Tensor | NDArray[np.int64], steps: int) -> dict[str, Counts]:
        """Return the counters of every node, of so many steps of all sequences together."""
        graph, table = self.graph, counts.tolist()
        rows = dict(zip(graph.order, table, strict=True))
        return {
            name: Counts(
                syn_ops=row[SYN_OPS],
                synaptic_multiplies=row[MULTIPLIES],
                saturations=row[SATURATIONS],
                dendrite_updates=graph.nodes[name].updates * steps,
                spikes_in=sum(rows[source][FIRED] for source in graph.sources[name]),
                spikes_out=row[FIRED],
                axon_out=row[FIRED] * len(graph.targets[name]),
            )
            for name, row in rows.items()
        }

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.graph.order)}

    def _last_use(self, record: tuple[str, ...]) -> list[list[str]]:
        """Return after each block the nodes whose messages nobody needs any more."""
        last: dict[str, int] = {}
        for index, block in enumerate(self.graph.blocks):
            for name in block:
                last |= dict.fromkeys((name, *self.graph.sources[name]), index)
        gone: list[list[str]] = [[] for _ in self.graph.blocks]
        for name, index in last.items():
            if name not in record:
                gone[index].append(name)
        return gone

    def _step(
        self,
        name: str,
        operands: list[Tensor],
        size: Size,
        states: Mapping[str, State],
        counts: Tensor,
        ends: Tensor | None,
        half: str = "run",
    ) -> Tensor:
        """Run a node, or a half of a step of a late one, over a block in which its edges meet."""
        tally = counts[self._rows[name]]
        if self.graph.nodes[name].meets is Meets.ADD and len(operands) > 1:
            operands = [_met(operands, tally)]
        block = Block(operands, states[name], tally[:3], size, ends)
        sent: Tensor = getattr(self.forms[name], half)(block)
        return sent

    def _loop(
        self,
        block: tuple[str, ...],
        size: Size,
        messages: Messages,
        states: Mapping[str, State],
        counts: Tensor,
        ends: Tensor | None,
    ) -> None:
        """Run nodes that feed each other, a step at a time."""
        graph, within = self.graph, set(block)
        late = [name for name in block if graph.nodes[name].late]
        rest = [name for name in block if name not in late]
        around = {source for name in block for source in graph.sources[name]} - within
        samples, steps = size
        for name in block:
            shape = (samples, steps, graph.nodes[name].out_channels)
            messages[name] = torch.empty(shape, dtype=torch.int32, device=self.device.place)
        for t in range(steps):
            now = {name: messages[name][:, t : t + 1].contiguous() for name in around}
            own, one = None if ends is None else (ends > t).int(), (samples, 1)
            for name in late:
                now[name] = self._step(name, [], one, states, counts, own, "send")
            for name in rest:
                operands = [now[source] for source in graph.sources[name]]
                now[name] = self._step(name, operands, one, states, counts, own).contiguous()
            for name in late:
                operands = [now[source] for source in graph.sources[name]]
                self._step(name, operands, one, states, counts, own, "take")
            for name in block:
                messages[name][:, t : t + 1] = now[name]

    def _count(self, active: Messages, counts: Tensor) -> None:
        """Count what the nodes sent, and what their synapses did, from messages by channel."""
        for name, row in zip(self.graph.order, counts, strict=True):
            row[FIRED] += active[name].sum()
            if name in self.forms:
                self.forms[name].count([active[name] for name in self.graph.sources[name]], row)


def _met(operands: list[Tensor], tally: Tensor) -> Tensor:
    """Return the sum of edges, which the contract keeps in 32 bits, saturated on entry."""
    met = operands[0] + operands[1]
    for operand in operands[2:]:
        met += operand
    clipped, count = saturated(met, symmetric_limit(MESSAGE_BITS), None)
    tally[SATURATIONS] += count
    return clipped


def _active(sent: Tensor, ends: Tensor | None, tokens: bool) -> Tensor:
    """Return how many messages went out on each channel ``(C,)``; of tokens each is one."""
    if not tokens:
        return torch.count_nonzero(sent, dim=(0, 1))
    samples, steps, channels = sent.shape
    if ends is None:
        return torch.full((channels,), samples * steps, device=sent.device)
    return ends.sum(dtype=torch.int64).expand(channels)
