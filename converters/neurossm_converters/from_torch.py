"""From PyTorch modules to a float graph: a table of module type to function.

What is not in the table is refused by its path and type; nothing is skipped that changes a value.
To add a module: write its function and enter it in `CONVERTERS`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from neurossm.errors import GraphError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import (
    Accumulate,
    Affine,
    BatchNorm,
    DiagonalSSM,
    Input,
    Node,
    Output,
    Product,
    Sum,
    Threshold,
)
from neurossm.passes import fold_batch_norm
from neurossm.piecewise import piecewise
from neurossm_models.network import BinaryS4D, Block
from neurossm_models.s4d import S4D
from neurossm_models.surrogate import Spike


class Builder:
    """Collects nodes and edges while modules are visited in the order of the data."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.edges: list[tuple[str, str]] = []

    def add(self, name: str, node: Node, *sources: str) -> str:
        """Add a node that is fed by the given ones; return its name."""
        self.nodes[name] = node
        self.edges += [(source, name) for source in sources]
        return name

    def convert(self, path: str, module: nn.Module, source: str) -> str:
        """Add the nodes of a module that is fed by `source`; return the name of its output.

        Raises
        ------
        GraphError
            If the module has no entry in `CONVERTERS`; names its path and type.
        """
        function = CONVERTERS.get(type(module))
        if function is None:
            known = ", ".join(sorted(kind.__name__ for kind in CONVERTERS))
            raise GraphError(
                f"module {path!r}",
                expected=f"one of {known}",
                got=type(module).__name__,
                remedy=REMEDIES.get(type(module), "replace it, or add it to CONVERTERS"),
            )
        return function(self, path, module, source)


def from_torch(model: nn.Module, *, steps: int, scale: float, bits: int = 8) -> Graph:
    """Return the float graph of a trained network, batch norms folded.

    Parameters
    ----------
    model
        A `BinaryS4D`, in evaluation mode.
    steps
        Length L of a sequence: the readout is the mean over it.
    scale
        Real value of one unit of the integer inputs (1/255 for pixels).
    bits
        Width of the unsigned integer inputs.

    Returns
    -------
    Graph
        Its `Input` takes the integers as they are. The factor between their power-of-two scale and
        `scale` goes into the encoder's weights, the ``1/L`` of the mean into the decoder's.

    Raises
    ------
    GraphError
        For a module that cannot be expressed, named by its path; for a model in training mode.
    """
    if model.training:
        raise GraphError("model", expected="evaluation mode", got="training mode",
                         remedy="call model.eval() first")  # fmt: skip
    if not isinstance(model, BinaryS4D):
        raise GraphError("model", expected="BinaryS4D", got=type(model).__name__)
    frac = round(-math.log2(scale))
    builder = Builder()
    source = builder.add(
        "input", Input(channels=model.config.in_features, out=Fixed(bits + 1, frac))
    )
    source = builder.convert("encoder", model.encoder, source)
    _scale_weight(builder, "encoder", scale * 2.0**frac)
    for index, block in enumerate(model.blocks):
        source = builder.convert(f"blocks.{index}", block, source)
    source = builder.convert("decoder", model.decoder, source)
    _scale_weight(builder, "decoder", 1 / steps, bias_too=True)
    classes = model.config.classes
    source = builder.add("readout", Accumulate(channels=classes, steps=steps), source)
    builder.add("output", Output(channels=classes), source)
    meta: dict[str, str | int | float] = {"steps": steps, "input_scale": scale}
    return fold_batch_norm(Graph(builder.nodes, tuple(builder.edges), meta=meta))


def _linear(builder: Builder, path: str, module: nn.Linear, source: str) -> str:
    return builder.add(path, Affine(weight=_array(module.weight), bias=_bias(module)), source)


def _batch_norm(builder: Builder, path: str, module: nn.BatchNorm1d, source: str) -> str:
    if module.running_mean is None or module.running_var is None:
        raise GraphError(f"module {path!r} (BatchNorm1d)", expected="running statistics",
                         got="none", remedy="train with track_running_stats=True")  # fmt: skip
    gain = 1 / np.sqrt(_array(module.running_var) + module.eps)
    if module.weight is not None:
        gain = gain * _array(module.weight)
    offset = -_array(module.running_mean) * gain
    if module.bias is not None:
        offset = offset + _array(module.bias)
    return builder.add(path, BatchNorm(gain=gain, offset=offset), source)


def _s4d(builder: Builder, path: str, module: S4D, source: str) -> str:
    abar, bbar, c, d = module.discretized()
    zeros, none = np.zeros(abar.shape), np.zeros(d.shape)
    node = DiagonalSSM(
        a_re=abar.real, a_im=abar.imag, b_re=bbar.real, b_im=bbar.imag, c_re=c.real, c_im=c.imag,
        d=d, drive_re=zeros, drive_im=zeros, bias=none,
        step_size=np.exp(_array(module.log_dt)), method=module.discretization,
    )  # fmt: skip
    return builder.add(path, node, source)


def _spike(builder: Builder, path: str, module: Spike, source: str) -> str:
    return builder.add(path, Threshold(theta=_array(module.theta)), source)


def _unchanged(builder: Builder, path: str, module: nn.Module, source: str) -> str:
    return source  # dropout in evaluation mode is the identity


def _relu(builder: Builder, path: str, module: nn.ReLU, source: str) -> str:
    return builder.add(path, piecewise("relu", builder.nodes[source].out_channels), source)


def _sigmoid(builder: Builder, path: str, module: nn.Sigmoid, source: str) -> str:
    return builder.add(path, piecewise("sigmoid", builder.nodes[source].out_channels), source)


def _sequential(builder: Builder, path: str, module: nn.Sequential, source: str) -> str:
    for name, child in module.named_children():
        source = builder.convert(f"{path}.{name}", child, source)
    return source


def _block(builder: Builder, path: str, block: Block, stream: str) -> str:
    source = stream
    for name in ("norm", "ssm", "ssm_norm", "spike", "dropout"):
        source = builder.convert(f"{path}.{name}", getattr(block, name), source)
    if type(block.mix) is not nn.Linear:
        raise GraphError(f"module '{path}.mix'", expected="Linear", got=type(block.mix).__name__)
    if block.gated:
        mixed = _gated(builder, f"{path}.mix", block.mix, source)
    else:
        mixed = builder.convert(f"{path}.mix", block.mix, source)
    channels = builder.nodes[stream].out_channels
    return builder.add(f"{path}.add", Sum(channels=channels), stream, mixed)


def _gated(builder: Builder, path: str, mix: nn.Linear, source: str) -> str:
    """Add a gated linear unit: the first half of the rows are values, the second half gates."""
    weight, bias, half = _array(mix.weight), _bias(mix), mix.out_features // 2
    value = Affine(weight=weight[:half], bias=bias[:half])
    gate = Affine(weight=weight[half:], bias=bias[half:])
    value_name = builder.add(f"{path}.value", value, source)
    gate_name = builder.add(f"{path}.gate", gate, source)
    opened = builder.add(f"{path}.sigmoid", piecewise("sigmoid", half), gate_name)
    return builder.add(f"{path}.product", Product(channels=half), value_name, opened)


CONVERTERS: dict[type[nn.Module], Callable[[Builder, str, Any, str], str]] = {
    nn.Linear: _linear,
    nn.BatchNorm1d: _batch_norm,
    S4D: _s4d,
    Spike: _spike,
    Block: _block,
    nn.Dropout: _unchanged,
    nn.Dropout1d: _unchanged,
    nn.Identity: _unchanged,
    nn.ReLU: _relu,
    nn.Sigmoid: _sigmoid,
    nn.Sequential: _sequential,
}

REMEDIES: dict[type[nn.Module], str] = {
    nn.LayerNorm: "train with BatchNorm1d, which folds into constants",
    nn.Softmax: "take the largest logit instead",
    nn.GELU: "train with ReLU, or with GLU mixing",
}


def _scale_weight(builder: Builder, name: str, factor: float, bias_too: bool = False) -> None:
    node = builder.nodes[name]
    assert isinstance(node, Affine)
    weight, bias = np.asarray(node.weight), np.asarray(node.bias)
    bias = bias * factor if bias_too else bias
    builder.nodes[name] = Affine(weight=weight * factor, bias=bias)


def _array(tensor: torch.Tensor) -> NDArray[np.float64]:
    return np.asarray(tensor.detach().cpu().double().numpy())


def _bias(module: nn.Linear) -> NDArray[np.float64]:
    if module.bias is None:
        return np.zeros(module.out_features)
    return _array(module.bias)
