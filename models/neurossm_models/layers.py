"""Layers over features: the same map at every time step, in the layout (H, B, L).

Features come first, so that a map of features is one matrix product, a norm of a feature runs over
memory without gaps, and the state space kernels get each feature's sequences side by side.

Shape letters: ``H`` features, ``B`` batch, ``L`` time steps.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neurossm.errors import InputError


def mix(linear: nn.Linear, x: Tensor) -> Tensor:
    """Apply a Linear over the features of (H, B, L)."""
    if not is_plain(linear):
        y: Tensor = linear(x.permute(1, 2, 0))
        return y.permute(2, 0, 1).to(x.dtype).contiguous()
    return affine(x, linear.weight, linear.bias)


def is_plain(module: nn.Module) -> bool:
    """Say whether calling a module is what its own class does with its parameters.

    Not so with hooks, some of which compute a weight when they are called, or with a forward of
    another class.
    """
    hooks = module._forward_hooks or module._forward_pre_hooks
    standard = type(module).forward in (nn.Linear.forward, nn.BatchNorm1d.forward)
    return not hooks and (standard or not isinstance(module, nn.Linear | nn.BatchNorm1d))


def affine(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Return ``weight x + bias`` over the features of (H, B, L), in the type of x.

    In `torch.autocast` the product is of the narrow type, and nothing else is.
    """
    flat = x.reshape(len(x), -1)
    y = weight @ flat if bias is None else bias[:, None].addmm(weight, flat)
    return y.to(x.dtype).view(len(weight), *x.shape[1:])


def make_norm(kind: str, width: int) -> nn.Module:
    """Return a norm of features: ``"batch"``, ``"layer"`` or ``"none"``."""
    if kind == "batch":
        return nn.BatchNorm1d(width)
    return nn.LayerNorm(width) if kind == "layer" else nn.Identity()


def normalize(norm: nn.Module, x: Tensor) -> Tensor:
    """Apply a norm of features to (H, B, L)."""
    if isinstance(norm, nn.BatchNorm1d):
        y: Tensor = norm(x.reshape(1, len(x), -1))
        return y.view(x.shape)
    if isinstance(norm, nn.LayerNorm):
        y = norm(x.permute(1, 2, 0))
        return y.permute(2, 0, 1).contiguous()
    if type(norm) is nn.Identity and is_plain(norm):
        return x
    y = norm(x.permute(1, 2, 0))  # a module of the user's
    return y.permute(2, 0, 1).contiguous()


def glu(x: Tensor) -> Tensor:
    """Return ``x1 * sigmoid(x2)`` for the two halves of the features."""
    return torch.nn.functional.glu(x, 0)


def check_tensor(where: str, x: object) -> None:
    """Raise `InputError` unless x is a tensor."""
    if not isinstance(x, Tensor):
        remedy = "use torch.from_numpy" if type(x).__name__ == "ndarray" else ""
        raise InputError(where, expected="a tensor", got=type(x).__name__, remedy=remedy)


def check_features(where: str, x: Tensor, features: int) -> None:
    """Raise `InputError` unless x is (H, B, L) with H features and at least one step."""
    check_tensor(where, x)
    if x.ndim != 3 or len(x) != features or not x.shape[2]:
        expected = f"shape ({features}, batch, steps), features first"
        turned = x.ndim == 3 and x.shape[2] == features
        remedy = "turn (batch, steps, features) by x.permute(2, 0, 1)" if turned else ""
        got = f"shape {tuple(x.shape)}"
        raise InputError(where, expected=expected, got=got, remedy=remedy)


def check_step(where: str, x: Tensor, features: int) -> None:
    """Raise `InputError` unless x is one time step of H features, (B, H)."""
    check_tensor(where, x)
    if x.ndim != 2 or x.shape[1] != features:
        expected, got = f"shape (batch, {features}), one time step", f"shape {tuple(x.shape)}"
        raise InputError(where, expected=expected, got=got)


def check_precision(where: str, x: Tensor, parameter: Tensor) -> None:
    """Raise `InputError` unless x and a parameter have one type, float32 or float64, and device.

    Nothing is converted in silence: an operation would go on in the wider or the narrower type.
    """
    for tensor, name in ((parameter, "parameters"), (x, "input")):
        if tensor.dtype not in (torch.float32, torch.float64):
            remedy = "use module.float() and x.float(), without autocast"
            expected = f"{name} of float32 or float64"
            raise InputError(where, expected=expected, got=kind_of(tensor), remedy=remedy)
    if (x.dtype, x.device) != (parameter.dtype, parameter.device):
        remedy = "use x.to(parameter), or module.to(x)"
        expected = f"the parameters' {kind_of(parameter)}"
        raise InputError(where, expected=expected, got=kind_of(x), remedy=remedy)


def runs_natively(x: Tensor) -> bool:
    """Say whether the native kernels take this tensor."""
    return x.dtype == torch.float32 and x.device.type == "cpu"


def not_native(x: Tensor, remedy: str) -> InputError:
    """Return the refusal of the form ``"native"`` for a tensor that its kernels do not take."""
    return InputError("form 'native'", expected="float32 on cpu", got=kind_of(x), remedy=remedy)


def kind_of(x: Tensor) -> str:
    """Return type and device in words: ``float32 on cpu``."""
    return f"{str(x.dtype).removeprefix('torch.')} on {x.device}"
