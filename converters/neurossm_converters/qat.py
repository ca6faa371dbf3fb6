"""A network's integer twin: exported, quantized, and run on the fast engine.

What `neurossm export`, `neurossm quantize` and `neurossm run` do one after the other, for a network
whose parameters change from batch to batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurossm.engine import fast
from neurossm.errors import InputError
from neurossm.graph import Graph
from neurossm.lengths import checked_lengths
from neurossm.nodes import (
    DiagonalSSM,
    Node,
    Role,
    format_of,
    message_frac,
)
from neurossm.nodes.values import reals
from neurossm.quantization import Quantize, Ranges
from neurossm.trace import Trace
from neurossm_converters.formats.torch import from_torch
from neurossm_converters.formats.torch.network import from_checked
from neurossm_converters.formats.torch.readouts import Scale
from neurossm_models.network import Network
from neurossm_models.twin import IntegerRun

Reals = dict[str, NDArray[Any]]
Seen = TypeVar("Seen", bound=Callable[..., Reals])
_SEEN: dict[type[Node], Callable[..., Reals]] = {}


class IntegerTwin:
    """A `neurossm_models.twin.Twin`.

    Parameters
    ----------
    settings
        Widths.
    ranges
        From a float graph to its ranges on calibration data.
    steps, scale, bits
        As of `from_torch`.
    """

    def __init__(
        self,
        settings: Quantize,
        ranges: Callable[[Graph], Ranges],
        *,
        steps: int,
        scale: Scale,
        bits: int,
    ) -> None:
        self._settings, self._ranges_of = settings, ranges
        self._steps, self._scale, self._bits = steps, scale, bits
        self._ranges: Ranges | None = None

    def check(self, model: Network) -> None:
        """Raise `GraphError` if the network cannot be deployed; names the module."""
        from_torch(model, steps=self._steps, scale=self._scale, bits=self._bits)

    def calibrate(self, model: Network) -> None:
        """Choose the ranges by a float run of the network as it is now."""
        self._ranges = self._ranges_of(self.export(model))

    def export(self, model: Network) -> Graph:
        """Return the float graph of the network."""
        return from_checked(model, steps=self._steps, scale=self._scale, bits=self._bits)

    def quantize(self, model: Network) -> Graph:
        """Return the integer graph of the network as it is now, with the ranges chosen last.

        Raises
        ------
        InputError
            If `calibrate` was not called before.
        GraphError, RangeError
            If the parameters of now fit no format; names the node.
        """
        if self._ranges is None:
            remedy = "call calibrate first"
            raise InputError("integer twin", expected="ranges", got="none", remedy=remedy)
        return self._settings(self.export(model), self._ranges)

    def run(
        self,
        model: Network,
        inputs: NDArray[np.integer[Any]],
        lengths: NDArray[np.int64] | None = None,
        record: bool = False,
    ) -> IntegerRun:
        """Quantize the network as it is now and run a batch; see `neurossm_models.twin.Twin`."""
        graph = self.quantize(model)
        (output,) = graph.outputs
        arrays = {graph.inputs[0]: inputs.astype(np.int64)}
        # as many threads as PyTorch has, not one for each core
        names = _needed(graph) if record else ()
        ends = checked_lengths(lengths, *inputs.shape[:2])
        trace = fast.run(
            graph, arrays, (*names, output), threads=torch.get_num_threads(), lengths=ends
        )
        return IntegerRun(
            torch.from_numpy(trace.last(output)) * 2.0 ** -format_of(graph.nodes[output]).frac,
            self._steps,
            {name: _real(trace, graph, name) for name in names},
            _parameters(graph),
            _rates(trace, graph),
            trace.saturations(),
        )


def _needed(graph: Graph) -> tuple[str, ...]:
    """Return the nodes whose values the shadow takes.

    What only compares, or delays, it does again, exactly.
    """
    return tuple(
        name
        for name, node in graph.nodes.items()
        if name.partition(".")[0] in ("encoder", "blocks")
        and node.role is not Role.DELAY
        and (node.role is not Role.SPIKING or node.state_parts())
    )


def _real(trace: Trace, graph: Graph, name: str) -> Tensor:
    """Return the real values of a node, (H, B, L): exact, a message has at most 24 bits."""
    values = torch.from_numpy(trace.values[name]).to(torch.float32)
    samples, steps, channels = values.shape
    turned = values.view(-1, channels).T.contiguous().view(channels, samples, steps)
    if format_of(graph.nodes[name]).is_spike:
        return turned
    unit = np.exp2(-np.asarray(message_frac(graph.nodes[name]), dtype=np.float64))
    return turned.mul_(torch.from_numpy(np.atleast_1d(unit)).to(torch.float32)[:, None, None])


def _rates(trace: Trace, graph: Graph) -> dict[str, float]:
    """Return the spikes per neuron and step of every node that spikes."""
    size = trace.real_steps
    return {
        name: trace.counts[name].spikes_out / (size * node.out_channels)
        for name, node in graph.nodes.items()
        if node.role is Role.SPIKING
    }


def _parameters(graph: Graph) -> dict[str, Tensor]:
    found = {}
    for name, node in graph.nodes.items():
        for part, values in _SEEN.get(type(node), _plain)(node).items():
            kind = torch.complex64 if np.iscomplexobj(values) else torch.float32
            found[f"{name}.{part}"] = torch.from_numpy(values).to(kind)
    return found


def _plain(node: Node) -> Reals:
    return {name: reals(getattr(node, name)) for name in node.shapes}


def seen_as(cls: type[Node]) -> Callable[[Seen], Seen]:
    """Say which rounded parameters of a type of node the shadow sees; by default all, by name."""

    def enter(function: Seen) -> Seen:
        _SEEN[cls] = function
        return function

    return enter


@seen_as(DiagonalSSM)
def _ssm(node: DiagonalSSM) -> Reals:
    """Return what `neurossm_models.shadow.folding.FoldedSSM` holds."""
    c = reals(node.c_re) + 1j * reals(node.c_im)
    return {
        "pole": reals(node.a_re) + 1j * reals(node.a_im),
        "weight": c * (reals(node.b_re) + 1j * reals(node.b_im)),
        "drive": c * (reals(node.drive_re) + 1j * reals(node.drive_im)),
        "d": reals(node.d),
        "bias": reals(node.bias),
    }
