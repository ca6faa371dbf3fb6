"""A device that is none: tensors on ``pretend:0`` compute on the CPU and refuse CPU tensors.

It lasts as long as the process: see `training_elsewhere.py`, which tests run as a program.
"""

from __future__ import annotations

import torch
from torch.utils._pytree import tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

_setup_privateuseone_for_python_backend("pretend")
torch.pretend.get_amp_supported_dtype = lambda: [torch.bfloat16]  # what autocast asks a device
HERE = torch.device("pretend:0")

left: list[int] = []  # how many numbers each copy to the CPU had


class Pretended(torch.Tensor):
    """A tensor that says it is there; what it holds is a CPU tensor."""

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> Pretended:
        made = torch.Tensor._make_wrapper_subclass(
            cls, held.size(), strides=held.stride(), storage_offset=held.storage_offset(),
            dtype=held.dtype, device=HERE, requires_grad=held.requires_grad,
        )  # fmt: skip
        made.held = held
        return made

    @classmethod
    def __torch_dispatch__(cls, op, types, args=(), kwargs=None):
        return dispatched(op, args, kwargs or {})


MOVES = (torch.ops.aten._to_copy.default, torch.ops.aten.copy_.default)
# what is put off to the next operation, which does not see it in what a tensor holds: done at once
LAZY = {
    torch.ops.aten._conj.default: torch.ops.aten.conj_physical.default,
    torch.ops.aten._neg_view.default: torch.ops.aten.neg.default,
}


def dispatched(op, args, kwargs):
    found: list[torch.Tensor] = []
    tree_map(lambda x: found.append(x) if isinstance(x, torch.Tensor) else None, (args, kwargs))
    strangers = [x for x in found if not isinstance(x, Pretended) and x.ndim]
    if strangers and op not in MOVES:
        raise RuntimeError(f"{op}: a tensor {tuple(strangers[0].shape)} on the CPU")
    where = kwargs.get("device")
    plain = {k: v for k, v in kwargs.items() if k != "device"}
    there = where is None or torch.device(where).type == "pretend"
    bare = tree_map(lambda x: x.held if isinstance(x, Pretended) else x, (args, plain))
    stays = there if op is MOVES[0] else isinstance(args[0], Pretended)
    if op in MOVES and not stays:
        left.append(args[0].numel())
    out = LAZY.get(op, op)(*bare[0], **bare[1])
    if op is torch.ops.aten.copy_.default or op._schema.is_mutable:
        return args[0] if op.__name__.split(".")[0].endswith("_") else tree_map(wrap, out)
    return tree_map(wrap, out) if there else out


def wrap(x):
    return Pretended(x) if isinstance(x, torch.Tensor) and not isinstance(x, Pretended) else x


class Moving(torch.utils._python_dispatch.TorchDispatchMode):
    """Makes what is asked for on the device there."""

    def __torch_dispatch__(self, op, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        where = kwargs.get("device")
        if where is not None and torch.device(where).type == "pretend":
            out = dispatched(op, args, kwargs)
            return tree_map(wrap, out)
        return op(*args, **kwargs)
