"""Checkpoints: safetensors files with JSON in their header. No pickle, atomic replacement."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from neurossm.errors import FormatError

Tensors = dict[str, Tensor]
Names = dict[nn.Parameter, str]


def save_tensors(path: Path, tensors: Tensors, meta: dict[str, Any]) -> None:
    """Write tensors and a JSON-able dictionary to one file; a reader never sees half of it."""
    packed = {name: tensor.detach().contiguous() for name, tensor in tensors.items()}
    replace_file(path, save(packed, {"neurossm": json.dumps(meta)}))


def load_tensors(path: Path) -> tuple[Tensors, dict[str, Any]]:
    """Return the tensors and the dictionary of a file written by `save_tensors`.

    Raises
    ------
    FormatError
        If the file is missing, damaged, or of another origin.
    """
    try:
        with safe_open(path, framework="pt") as file:
            meta = json.loads((file.metadata() or {})["neurossm"])
            return {name: file.get_tensor(name) for name in file.keys()}, meta  # noqa: SIM118
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        got = f"{type(error).__name__}: {error}"
        raise FormatError(str(path), expected="a neurossm checkpoint", got=got) from None


def load_weights(model: nn.Module, tensors: Tensors, where: str) -> None:
    """Copy tensors into a model of exactly these names and shapes; `FormatError` otherwise."""
    own = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for name in own | found:
        if own.get(name) != found.get(name):
            expected = f"{name} of shape {own[name]}" if name in own else f"no {name}"
            got = f"shape {found[name]}" if name in found else "none"
            remedy = "the weights and the recipe beside them do not belong together"
            raise FormatError(where, expected=expected, got=got, remedy=remedy)
    model.load_state_dict(tensors)


def optimizer_tensors(optimizer: torch.optim.Optimizer, names: Names) -> Tensors:
    """Return the optimizer's moments and step counts under the names of their parameters."""
    return {
        f"{name}/{key}": value
        for parameter, name in names.items()
        for key, value in optimizer.state[parameter].items()
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, names: Names, tensors: Tensors) -> None:
    """Put back what `optimizer_tensors` returned."""
    for parameter, name in names.items():
        keys = [full for full in tensors if full.rpartition("/")[0] == name]
        if keys:
            optimizer.state[parameter] = {full.rpartition("/")[2]: tensors[full] for full in keys}


def with_prefix(prefix: str, tensors: Tensors) -> Tensors:
    """Return the tensors under names that start with ``prefix/``."""
    return {f"{prefix}/{name}": tensor for name, tensor in tensors.items()}


def under_prefix(prefix: str, tensors: Tensors) -> Tensors:
    """Return the tensors whose names start with ``prefix/``, without it."""
    start = prefix + "/"
    return {name[len(start) :]: t for name, t in tensors.items() if name.startswith(start)}


def replace_file(path: Path, content: bytes) -> None:
    """Write a file beside its place and move it there once it is complete on the disk."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
