"""Compares a graph with its network on a small random example, in batches.

Every part is given what the graph gave to the part before it, so that the first part that differs
is the one to be named, and no rounding in front of a threshold grows on the way. All in float64.

Shape letters: ``B`` samples, ``L`` time steps, ``H`` features.
"""

from __future__ import annotations

from copy import deepcopy
from functools import partial
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neurossm.engine import run
from neurossm.errors import GraphError
from neurossm.graph import Graph
from neurossm.nodes import Embedding, PiecewiseLinear, Role
from neurossm_converters.formats.torch.readouts import Scale, answered
from neurossm_models.block import Block
from neurossm_models.complex_states import ComplexStates
from neurossm_models.families.gsu import GatedSpikingUnit
from neurossm_models.network import Network

SAMPLES, STEPS = 2, 32
TOLERANCE = 1e-6  # of the largest value
Reals = NDArray[np.float64]


@torch.no_grad()
def check_example(graph: Graph, model: Network, *, steps: int, scale: Scale) -> None:
    """Raise `GraphError` unless the graph computes what forward does; names the first part.

    Parameters
    ----------
    graph
        The float graph of `model`, norms folded.
    model
        In evaluation mode.
    steps, scale
        As of `from_torch`.
    """
    samples = _example(graph, model, min(steps, STEPS))
    values = _values(graph, samples)
    model = _in_double(model)
    x = torch.tensor(samples[..., 0] if model.config.vocabulary else samples * np.asarray(scale))
    r = stream = model._encoded(x)
    blocks = [cast(Block, block) for block in model.blocks]
    encoded = blocks[0].behind_encoder(r)
    if "encoder" in graph.nodes:
        _compare("encoder", encoded, values["encoder"])
        # else the graph has folded a part of the first block into the encoder
        r = _features_first(values["encoder"]) if encoded is r else r
    for index, block in enumerate(blocks):
        name = f"blocks.{index}"
        out, spikes = block(r)
        before = _spikes(graph, name)
        if before is not None:
            _compare_spikes(f"{name} ({before})", spikes, values[f"{name}.{before}"])
        sent = values[[node for node in graph.nodes if node.startswith(f"{name}.")][-1]]
        _compare(name, out, sent, _allowed(graph, name, values))
        r = _features_first(sent)
        stream, _ = block(stream)
    readout = answered(values["output"], model.config, steps)
    got = model._logits(r, None)
    _compare("decoder", got.permute(2, 0, 1) if got.ndim == 3 else got, readout)
    whole, got = model._logits(stream, None), model(x)
    got = got.permute(2, 0, 1) if got.ndim == 3 else got
    _compare("forward", got, whole.numpy())


def _values(graph: Graph, samples: NDArray[np.int64]) -> dict[str, Reals]:
    trace = run(graph, samples, "float", tuple(graph.nodes))
    return {name: np.asarray(values, dtype=np.float64) for name, values in trace.values.items()}


def _example(graph: Graph, model: Network, steps: int) -> NDArray[np.int64]:
    generator, config = np.random.default_rng(0), model.config
    (name,) = graph.inputs
    fmt = graph.nodes[name].out
    assert fmt is not None
    most = config.vocabulary or 2 ** (fmt.bits - 1)
    channels = 1 if isinstance(graph.nodes.get("encoder"), Embedding) else config.in_features
    return generator.integers(0, most, (SAMPLES, steps, channels))


def _in_double(model: Network) -> Network:
    """Return a copy that computes in float64; rounded weights stay as the graph has them."""
    copy = deepcopy(model).cpu().double().use(ssm="fft", neuron="loop")
    for module, original in zip(copy.modules(), model.modules(), strict=True):
        if isinstance(module, ComplexStates):
            module.form = "loop"  # a real part of 0 is 0: a gate there is no matter of rounding
        if isinstance(module, GatedSpikingUnit) and isinstance(original, GatedSpikingUnit):
            ternary = original.ternary_weight().cpu().double()
            setattr(module, "ternary_weight", partial(_same, ternary))  # noqa: B010
    return copy


def _same(tensor: Tensor) -> Tensor:
    return tensor


def _spikes(graph: Graph, block: str) -> str | None:
    """Return the part of a block that spikes; None behind a function that is only approximated."""
    names = [name for name in graph.nodes if name.startswith(f"{block}.")]
    for name in names:
        node = graph.nodes[name]
        if isinstance(node, PiecewiseLinear) and node.max_error > 0:
            return None
        if node.role is Role.SPIKING:
            return name.removeprefix(f"{block}.")
    return None


def _is_free(graph: Graph, block: str) -> bool:
    """Say whether an approximated function that is no gate is in front of the first spikes."""
    for name in (name for name in graph.nodes if name.startswith(f"{block}.")):
        node = graph.nodes[name]
        if node.role is Role.SPIKING or name == f"{block}.mix.sigmoid":
            return False
        if isinstance(node, PiecewiseLinear) and node.max_error > 0:
            return True
    return False


def _allowed(graph: Graph, block: str, values: dict[str, Reals]) -> Reals | float:
    """Return by how much the segments of sigmoid and gelu may change the output of a block."""
    if _is_free(graph, block):
        return np.inf
    gate, unit = graph.nodes.get(f"{block}.mix.sigmoid"), graph.nodes.get(f"{block}.unit.gelu")
    if isinstance(gate, PiecewiseLinear):
        return np.asarray(gate.max_error * np.abs(values[f"{block}.mix.value"]))
    return unit.max_error if isinstance(unit, PiecewiseLinear) else 0.0


def _features_first(values: Reals) -> Tensor:
    return torch.tensor(values).permute(2, 0, 1).contiguous()


def _compare(part: str, got: Tensor, graph: Reals, allowed: Reals | float = 0.0) -> None:
    expected = (got.permute(1, 2, 0) if got.ndim == 3 else got).numpy()
    distance = np.abs(graph - expected)
    off = distance - allowed - TOLERANCE * np.abs(expected).max()
    if not np.all(off <= 0):  # also where it is not a number
        _refuse(part, f"a graph that differs by {np.max(distance):.3g} of"
                f" {np.abs(expected).max():.3g}")  # fmt: skip


def _compare_spikes(part: str, got: Tensor, graph: Reals) -> None:
    expected = got.permute(1, 2, 0).numpy()
    wrong = int((expected != graph).sum())
    if wrong:
        _refuse(part, f"a graph with {wrong} other spikes of {expected.size}")


def _refuse(part: str, got: str) -> None:
    where = "model" if part == "forward" else f"module {part!r}"
    raise GraphError(where, expected="what its forward computes on a random example", got=got,
                     remedy="undo what was changed in the classes of neurossm_models, or add a"
                     " converter for it")  # fmt: skip
