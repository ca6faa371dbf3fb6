"""Modules as they compute: without wrappers, with the effect of hooks and reparametrizations.

A wrapper that computes the same (`torch.compile`, `DataParallel`) is taken off. Parameters that are
computed (`torch.nn.utils.parametrize`, the older `weight_norm` and `spectral_norm`, pruning) become
what they are computed to be; what is kept in half precision is taken as float32, and that is said.
Everything else that could make a module compute another thing than its class says is refused by its
path: hooks, methods replaced on an instance, parts in training mode.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import torch
from torch import nn
from torch.nn.modules import module as globally
from torch.nn.utils import parametrize, prune, remove_spectral_norm, remove_weight_norm
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from neurossm.errors import GraphError, NeurossmWarning
from neurossm_models.neurons import LIF

_PRECISE = (torch.float32, torch.float64)
_HALF = (torch.float16, torch.bfloat16)
# what computes another thing in training mode
_MODAL = (
    nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd, nn.modules.rnn.RNNBase,
    nn.RReLU, LIF,
)  # fmt: skip


def plain(model: nn.Module, is_leaf: Callable[[nn.Module], bool] | None = None) -> nn.Module:
    """Return the module that computes what this one does, of the classes that are in the tables.

    The module itself where it is that already, else a copy.

    Parameters
    ----------
    model
        Any module.
    is_leaf
        Which modules are taken for what their class says; all where it is None. The forward of
        others is run, with its hooks and replaced methods.

    Raises
    ------
    GraphError
        For a hook or a replaced method of a leaf, a part in training mode, or a parameter that is
        not finite, on the device "meta", or of fewer bits than 16; names the path.
    """
    model = _unwrapped(model)
    leaves = _leaves(model, is_leaf)
    for path, module in model.named_modules():
        if is_leaf is None or id(module) in leaves:
            _check_hooks(path, module)
        if _wrapped(module) is None:
            if is_leaf is None or id(module) in leaves:
                _check_methods(path, module)
            _check_mode(path, module)
    _check_global_hooks()
    tensors = (*model.named_parameters(), *model.named_buffers())
    for name, tensor in tensors:
        _check_numbers(name, tensor)
    half = next((tensor.dtype for _, tensor in tensors if tensor.dtype in _HALF), None)
    if half is None and not any(
        _is_computed(m) or _wrapped(m) is not None for m in model.modules()
    ):
        return model
    with torch.no_grad():
        for module in model.modules():
            compute_parameters(module)  # what was computed last may have a history, without copy
        model = deepcopy(model)
        if half is not None:
            kind = str(half).removeprefix("torch.")
            warnings.warn(f"weights in {kind} are taken as the real numbers that they are: forward"
                          " itself rounds more than the graph", NeurossmWarning,
                          stacklevel=3)  # fmt: skip
            model = model.float()
        _unwrap_parts(model)
        for module in model.modules():
            _bake(module)
    return model


def _leaves(model: nn.Module, is_leaf: Callable[[nn.Module], bool] | None) -> set[int]:
    """Return the identities of leaves and of all that is in them."""
    if is_leaf is None:
        return set()
    return {id(part) for module in model.modules() if is_leaf(module) for part in module.modules()}


def kind_of(module: nn.Module, expected: str = "") -> str:
    """Return the name of a module's type, with its package where the name alone would mislead."""
    kind = type(module)
    foreign = kind.__module__.startswith("torch.ao.") or kind.__name__ == expected
    return f"{kind.__module__}.{kind.__name__}" if foreign else kind.__name__


def remedy_for(module: nn.Module) -> str:
    """Return what to do instead of a module of a known origin, or an empty string."""
    if "quantized" in type(module).__module__:
        return (
            "export the network as it was before PyTorch quantized it; 'neurossm quantize' makes"
            " the integers"
        )
    return ""


def _wrapped(module: nn.Module) -> nn.Module | None:
    """Return what a wrapper runs unchanged; None for another module."""
    inner = None
    if type(module).__name__ == "OptimizedModule":  # importing its home would take seconds
        inner = getattr(module, "_orig_mod", None)
    elif isinstance(module, nn.DataParallel | nn.parallel.DistributedDataParallel):
        inner = module.module
    return inner if isinstance(inner, nn.Module) else None


def unwrapped(model: nn.Module) -> nn.Module:
    """Return what wrappers that compute the same run.

    Raises
    ------
    GraphError
        For a hook of a wrapper.
    """
    return _unwrapped(model)


def _unwrapped(model: nn.Module) -> nn.Module:
    while (inner := _wrapped(model)) is not None:
        _check_hooks("", model)
        model = inner
    return model


def _unwrap_parts(model: nn.Module) -> None:
    for module in list(model.modules()):
        for name, child in list(module.named_children()):
            module._modules[name] = _unwrapped(child)


def _computing(module: nn.Module) -> list[Any]:
    """Return the hooks of PyTorch that compute a parameter before each call."""
    kinds = (WeightNorm, SpectralNorm, prune.BasePruningMethod)
    return [hook for hook in module._forward_pre_hooks.values() if isinstance(hook, kinds)]


def compute_parameters(module: nn.Module) -> None:
    """Compute what hooks of PyTorch (`weight_norm`, ...) compute before each call, without one."""
    with torch.no_grad():
        for hook in _computing(module):
            hook(module, ())


def _is_computed(module: nn.Module) -> bool:
    return bool(_computing(module)) or parametrize.is_parametrized(module)


def _bake(module: nn.Module) -> None:
    """Make what is computed from other parameters a parameter again."""
    for hook in _computing(module):
        if isinstance(hook, WeightNorm):
            remove_weight_norm(module, hook.name)
        elif isinstance(hook, SpectralNorm):
            remove_spectral_norm(module, hook.name)
        else:
            prune.remove(module, hook._tensor_name)  # type: ignore[no-untyped-call]
    if parametrize.is_parametrized(module):
        computed = module.parametrizations
        assert isinstance(computed, nn.ModuleDict)
        values = {name: getattr(module, name).detach().clone() for name in computed}
        # not by remove_parametrizations: the class is shared with the module that this copies
        module.__class__ = parametrize.type_before_parametrizations(module)
        del module.parametrizations
        for name, value in values.items():
            module.register_parameter(name, nn.Parameter(value))


def _check_hooks(path: str, module: nn.Module) -> None:
    known = _computing(module)
    hooks = [h for h in module._forward_pre_hooks.values() if not any(h is k for k in known)]
    _refuse_hooks(_place(path, module), [*hooks, *module._forward_hooks.values()])


def _check_global_hooks() -> None:
    hooks = (globally._global_forward_pre_hooks, globally._global_forward_hooks)
    _refuse_hooks("every module", [hook for found in hooks for hook in found.values()])


def _refuse_hooks(where: str, hooks: list[object]) -> None:
    if hooks:
        name = getattr(hooks[0], "__qualname__", type(hooks[0]).__name__)
        remedy = "remove it (the handle that register_... returned has remove()), or make what it"
        raise GraphError(where, expected="no forward hooks, which a graph cannot hold",
                         got=f"the hook {name!r}",
                         remedy=f"{remedy} does a module of its own")  # fmt: skip


def _check_methods(path: str, module: nn.Module) -> None:
    for name in vars(module):
        if callable(getattr(type(module), name, None)) and callable(vars(module)[name]):
            raise GraphError(_place(path, module), expected="the methods of its class",
                             got=f"{name!r} replaced on the instance",
                             remedy=f"delete it: del module.{name}")  # fmt: skip


def _check_mode(path: str, module: nn.Module) -> None:
    matters = not path or isinstance(module, _MODAL) or _is_computed(module)
    if module.training and matters:
        raise GraphError(_place(path, module), expected="evaluation mode", got="training mode",
                         remedy="call model.eval() first")  # fmt: skip


def _check_numbers(name: str, tensor: torch.Tensor) -> None:
    where = f"module {name.rpartition('.')[0]!r} {name.rpartition('.')[2]}"
    if tensor.device.type == "meta":
        raise GraphError(where, expected="numbers", got="a tensor on the device 'meta'",
                         remedy="load the weights: model.to_empty(device='cpu'), then"
                         " load_state_dict")  # fmt: skip
    if not tensor.is_floating_point():
        return
    if tensor.dtype not in (*_PRECISE, *_HALF):
        kind = str(tensor.dtype).removeprefix("torch.")
        raise GraphError(where, expected="float16 or wider", got=kind,
                         remedy="call model.float() first")  # fmt: skip
    wrong = tensor.detach()[~torch.isfinite(tensor.detach())]
    if wrong.numel():
        got = f"{float(wrong[0])} ({wrong.numel()} of {tensor.numel()})"
        raise GraphError(where, expected="finite numbers", got=got,
                         remedy="take weights from before training diverged")  # fmt: skip


def _place(path: str, module: nn.Module) -> str:
    return f"module {path!r} ({kind_of(module)})" if path else f"model ({kind_of(module)})"
