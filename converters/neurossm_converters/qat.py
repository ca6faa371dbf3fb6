"""The quantization-aware (QAT) model: the integer graph of a network, run by the engine.

What `neurossm export`, `neurossm quantize` and `neurossm run` do one after the other, for a network
whose parameters change from batch to batch. Exporting and quantizing are done on the CPU wherever
the network is, so that its graph is the one that these commands write, bit for bit.

Shape letters: ``H`` features of a node, ``B`` batch, ``L`` time steps.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neurossm.counts import Counts
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
from neurossm_converters.backends.gpu.device import Device
from neurossm_converters.batches import check_runs_on, run_batch
from neurossm_converters.formats.torch import from_torch
from neurossm_converters.formats.torch.network import from_checked
from neurossm_converters.formats.torch.readouts import Scale
from neurossm_models.network import Network
from neurossm_models.qat_model import IntegerRun

Reals = dict[str, NDArray[Any]]
Seen = TypeVar("Seen", bound=Callable[..., Reals])
_SEEN: dict[type[Node], Callable[..., Reals]] = {}


class QATModel:
    """A `neurossm_models.qat_model.QATModel`.

    Parameters
    ----------
    settings
        Widths.
    ranges
        From a float graph to its ranges on calibration data.
    steps, scale, bits
        As of `from_torch`.
    device
        Where the integers run; None: where the network is, on a CPU by the fast engine.
    """

    def __init__(
        self,
        settings: Quantize,
        ranges: Callable[[Graph], Ranges],
        *,
        steps: int,
        scale: Scale,
        bits: int,
        device: Device | None = None,
    ) -> None:
        self._settings, self._ranges_of = settings, ranges
        self._steps, self._scale, self._bits = steps, scale, bits
        self._device = device
        self._ranges: Ranges | None = None

    def check(self, model: Network, place: torch.device) -> None:
        """Raise `GraphError` if the network cannot be deployed, and names the module.

        `TargetError` if its integers do not run on the device.
        """
        model = _on_cpu(model)
        graph = from_torch(model, steps=self._steps, scale=self._scale, bits=self._bits)
        if self._device is None:
            check_runs_on(graph, place)

    def calibrate(self, model: Network) -> None:
        """Choose the ranges by a float run of the network as it is now."""
        self._ranges = self._ranges_of(self.export(model))

    def export(self, model: Network) -> Graph:
        """Return the float graph of the network."""
        return from_checked(_on_cpu(model), steps=self._steps, scale=self._scale, bits=self._bits)

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
            raise InputError(
                "quantization-aware (QAT) model", expected="ranges", got="none", remedy=remedy
            )
        return self._settings(self.export(model), self._ranges)

    def run(
        self,
        model: Network,
        inputs: NDArray[np.integer[Any]],
        lengths: NDArray[np.int64] | None = None,
        record: bool = False,
    ) -> IntegerRun:
        """Quantize the network as it is now and run a batch."""
        graph = self.quantize(model)
        names = _needed(graph) if record else ()
        ends = checked_lengths(lengths, *inputs.shape[:2])
        sent = run_batch(graph, inputs, names, ends, self._device_for(model))
        place, output = next(model.parameters()).device, graph.nodes[graph.outputs[0]]
        steps = inputs.shape[0] * inputs.shape[1] if ends is None else int(ends.sum())
        return IntegerRun(
            sent.last * 2.0 ** -format_of(output).frac,
            self._steps,
            # one after the other: a batch of real numbers takes as much memory as its integers
            {name: _real(sent.values.pop(name), graph.nodes[name]) for name in names},
            {name: values.to(place) for name, values in _parameters(graph).items()},
            _rates(graph, sent.counts, steps),
            sum(counts.saturations for counts in sent.counts.values()),
        )

    def _device_for(self, model: Network) -> Device | None:
        if self._device is not None:
            return self._device
        place = next(model.parameters()).device
        return None if place.type == "cpu" else Device(place, interpreted=False)


def _on_cpu(model: Network) -> Network:
    """Return a network with the parameters of another one, on the CPU; itself if it is there."""
    if next(model.parameters()).device.type == "cpu":
        return model
    there: dict[int, Tensor] = {
        id(p): nn.Parameter(p.detach().cpu(), p.requires_grad) for p in model.parameters()
    }
    return deepcopy(model, there | {id(b): b.detach().cpu() for b in model.buffers()})


def _needed(graph: Graph) -> tuple[str, ...]:
    """Return the nodes whose values the STE network takes.

    What only compares, or delays, it does again, exactly.
    """
    return tuple(
        name
        for name, node in graph.nodes.items()
        if name.partition(".")[0] in ("encoder", "blocks")
        and node.role is not Role.DELAY
        and (node.role is not Role.SPIKING or node.state_parts())
    )


def _real(values: Tensor, node: Node) -> Tensor:
    """Return the real values (H, B, L) of messages (B, L, H): exact, these have at most 24 bits."""
    samples, steps, channels = values.shape
    flat = values.to(torch.float32).reshape(-1, channels)
    turned = flat.T.contiguous().view(channels, samples, steps)
    if format_of(node).is_spike:
        return turned
    unit = np.exp2(-np.asarray(message_frac(node), dtype=np.float64))
    factors = torch.from_numpy(np.atleast_1d(unit)).to(torch.float32)
    return turned.mul_(factors[:, None, None].to(values.device))


def _rates(graph: Graph, counts: Mapping[str, Counts], steps: int) -> dict[str, float]:
    """Return the activations per neuron per time step of each block, as the network tells them.

    Those of the first node that spikes, else of complex states with a gate.
    """
    found: dict[str, str] = {}
    for name, node in graph.nodes.items():
        block = ".".join(name.split(".")[:2])
        if node.role is Role.SPIKING or (node.complex_states and node.activates):
            found.setdefault(block, name)
    return {
        name: counts[name].spikes_out / (steps * graph.nodes[name].out_channels)
        for name in found.values()
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
    """Say which rounded parameters of a type of node the STE network sees; default: all."""

    def enter(function: Seen) -> Seen:
        _SEEN[cls] = function
        return function

    return enter


@seen_as(DiagonalSSM)
def _ssm(node: DiagonalSSM) -> Reals:
    """Return what `neurossm_models.ste.folding.FoldedSSM` holds."""
    c = reals(node.c_re) + 1j * reals(node.c_im)
    return {
        "pole": reals(node.a_re) + 1j * reals(node.a_im),
        "weight": c * (reals(node.b_re) + 1j * reals(node.b_im)),
        "drive": c * (reals(node.drive_re) + 1j * reals(node.drive_im)),
        "d": reals(node.d),
        "bias": reals(node.bias),
    }
