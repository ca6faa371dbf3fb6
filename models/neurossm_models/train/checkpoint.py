"""Checkpoints: safetensors files with JSON in their header. No pickle, atomic replacement."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from neurossm import files
from neurossm.errors import FormatError
from neurossm.files import unwritable

Tensors = dict[str, Tensor]
Names = dict[nn.Parameter, str]
META = "neurossm"
AGAIN = "try again"
UNFINISHED = ".part"  # one process writes to a run: what a killed one left is overwritten
# what names of weights contain that PyTorch computes others from
_COMPUTED = {
    ".parametrizations.": "parametrize.remove_parametrizations",
    "_mask": "prune.remove",
    "weight_g": "remove_weight_norm",
    "weight_u": "remove_spectral_norm",
}
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # what AdamW keeps of a parameter


def save_tensors(path: Path, tensors: Tensors, meta: dict[str, Any], remedy: str = AGAIN) -> None:
    """Write tensors and a JSON-able dictionary to one file; raises as `replace_file`."""
    packed: Tensors = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        plain = tensor.detach().cpu().contiguous()
        shared = plain.untyped_storage().data_ptr() in seen and plain.numel() > 0
        packed[name] = plain.clone() if shared else plain  # tied weights lie in the file twice
        seen.add(plain.untyped_storage().data_ptr())
    replace_file(path, save(packed, {META: json.dumps(meta)}), remedy)


def load_tensors(path: Path, *, bare: bool = False) -> tuple[Tensors, dict[str, Any]]:
    """Return the tensors and the dictionary of a file written by `save_tensors`.

    Parameters
    ----------
    path
        The file.
    bare
        Whether tensors alone are enough, as another program saves them: the dictionary is empty.

    Raises
    ------
    FormatError
        If the file is missing, damaged, or of another origin.
    """
    try:
        with safe_open(path, framework="pt") as file:
            said = (file.metadata() or {}).get(META)
            meta = {} if said is None else json.loads(said)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, ValueError, RecursionError) as error:
        got = f"{type(error).__name__}: {error}"
        raise FormatError(str(path), expected="a neurossm checkpoint", got=got) from None
    if said is None and not bare:
        remedy = f"use the file that neurossm wrote, or copy its metadata {META!r} when saving anew"
        expected, got = "a neurossm checkpoint", f"tensors without the metadata {META!r}"
        raise FormatError(str(path), expected=expected, got=got, remedy=remedy)
    if not isinstance(meta, dict):
        raise FormatError(f"{path} metadata", expected="a record", got=type(meta).__name__)
    return tensors, meta


def load_weights(model: nn.Module, tensors: Tensors, where: str) -> None:
    """Copy tensors into a model of exactly these names, shapes and types.

    Names may be those of the model in `torch.compile` or `DataParallel`. The first lag of a
    backward kernel was not always saved: it was 0 then, and stays it.

    Raises
    ------
    FormatError
        If one is missing, unknown, or another one.
    """
    tensors = _without_wrappers(tensors, where)
    lags = [name for name in model.state_dict() if name.endswith(".backward_lag")]
    tensors = dict.fromkeys(lags, torch.tensor(0)) | tensors
    own = {name: _form(tensor) for name, tensor in model.state_dict().items()}
    found = {name: _form(tensor) for name, tensor in tensors.items()}
    for name in own | found:
        if own.get(name) != found.get(name):
            expected = f"{name} of {own[name]}" if name in own else f"no {name}"
            got = found.get(name, "none")
            remedy = _remedy(name, own, found)
            raise FormatError(where, expected=expected, got=got, remedy=remedy)
    for name in lags:
        if int(tensors[name]) not in (0, 1):
            got = str(int(tensors[name]))
            raise FormatError(f"{where} {name}", expected="0 or 1", got=got)
    model.load_state_dict(tensors)


def _without_wrappers(tensors: Tensors, where: str) -> Tensors:
    """Return the tensors under the names that they have without ``_orig_mod`` and ``module``."""
    names = {}
    for name in tensors:
        parts = [part for part in name.split(".") if part != "_orig_mod"]
        names[name] = ".".join(parts[1:] if parts[0] == "module" else parts)
    counts = Counter(names.values())
    for name, short in names.items():
        if counts[short] > 1:
            expected = f"{short} once, in a wrapper or without"
            raise FormatError(where, expected=expected, got=f"{name} and another one")
    return {names[name]: tensor for name, tensor in tensors.items()}


def _remedy(name: str, own: dict[str, str], found: dict[str, str]) -> str:
    """Return what to do about the name at which weights and model differ."""
    if name in own and name in found and _shape(own[name]) == _shape(found[name]):
        return "save them in float32, after model.float(): they are not rounded in silence"
    for part, undo in _COMPUTED.items():
        if any(part in other for other in found):
            return f"call torch.nn.utils.{undo} before saving: some weights are computed"
    return "the weights and the recipe beside them do not belong together"


def _shape(form: str) -> str:
    return form.partition(" of ")[0]


def optimizer_tensors(optimizer: torch.optim.Optimizer, names: Names) -> Tensors:
    """Return the optimizer's moments and step counts under the names of their parameters."""
    return {
        f"{name}/{key}": value
        for parameter, name in names.items()
        for key, value in optimizer.state[parameter].items()
    }


def restore_optimizer(
    optimizer: torch.optim.AdamW, names: Names, tensors: Tensors, where: str
) -> None:
    """Put back what `optimizer_tensors` returned.

    Raises
    ------
    FormatError
        If a parameter has not all of its moments, or they are of other shapes or types.
    """
    state = dict(tensors)
    for parameter, name in names.items():
        keys = {key: f"{name}/{key}" for key in _MOMENTS if f"{name}/{key}" in state}
        if not keys:  # it had no gradient so far
            continue
        for key in _MOMENTS:
            expected = _form(torch.zeros(()) if key == "step" else parameter)
            got = _form(state[keys[key]]) if key in keys else "none"
            if got != expected:
                place = f"{where} optimizer/{name}/{key}"
                raise FormatError(place, expected=expected, got=got)
        found = {key: state.pop(full) for key, full in keys.items()}
        moments = {key: t if key == "step" else t.to(parameter.device) for key, t in found.items()}
        optimizer.state[parameter] = moments
    if state:
        got = repr(min(state))
        raise FormatError(f"{where} optimizer", expected="moments of parameters", got=got)


def with_prefix(prefix: str, tensors: Tensors) -> Tensors:
    """Return the tensors under names that start with ``prefix/``."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def under_prefix(prefix: str, tensors: Tensors) -> Tensors:
    """Return the tensors whose names start with ``prefix/``, without it."""
    start = prefix + "/"
    return {name[len(start) :]: t for name, t in tensors.items() if name.startswith(start)}


def _form(tensor: Tensor) -> str:
    form = f"shape {tuple(tensor.shape)}"
    kind = str(tensor.dtype).removeprefix("torch.")
    return form if kind == "float32" else f"{form} of {kind}"


def replace_file(path: Path, content: bytes, remedy: str = AGAIN) -> None:
    """Write a file of a run atomically; its folder is made.

    Raises
    ------
    InputError
        If it cannot be written: the file, the cause, and `remedy` for when that is gone.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path.parent, "", error) from None
    files.replace_file(path, content, unfinished=f"{path.name}{UNFINISHED}", remedy=remedy)
