"""Shared by the STE networks of families: nodes by name, and the mixing of features.

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps. The names of nodes and parameters are
those of `neurossm_converters.formats.torch`.
"""

from __future__ import annotations

from torch import Tensor, nn

from neurossm_models.qat_model import IntegerRun
from neurossm_models.ste.operations import add, affine, multiply, segments, straight


def mixed(name: str, mix: nn.Linear, gated: bool, r: Tensor, s: Tensor, run: IntegerRun) -> Tensor:
    """Return the residual stream after the mixing of the spikes, with or without a gate."""
    values, path = run.values, f"{name}.mix"
    if not gated:
        o = affine_node(path, mix.weight, mix.bias, s, run)
        return add(r, o, values[f"{name}.add"])
    half = len(mix.weight) // 2
    value = affine_node(f"{path}.value", mix.weight[:half], mix.bias[:half], s, run)
    gate = affine_node(f"{path}.gate", mix.weight[half:], mix.bias[half:], s, run)
    o = multiply(value, segments_node(f"{path}.sigmoid", gate, run), values[f"{path}.product"])
    return add(r, o, values[f"{name}.add"])


def affine_node(path: str, weight: Tensor, bias: Tensor, x: Tensor, run: IntegerRun) -> Tensor:
    """Return what an `Affine` of this name sent, differentiable as that of x."""
    return affine(x, straight(weight, run.parameters[f"{path}.weight"]), bias, run.values[path])


def segments_node(path: str, x: Tensor, run: IntegerRun) -> Tensor:
    """Return what a `PiecewiseLinear` of this name sent, differentiable as that of x."""
    knots, slopes = run.parameters[f"{path}.knots"], run.parameters[f"{path}.slopes"]
    return segments(x, knots, slopes, run.values[path])
