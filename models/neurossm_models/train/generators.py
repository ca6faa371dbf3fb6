"""PyTorch's random numbers in checkpoints: the state of a generator for each kind of device.

A run that moves from one kind of device to another draws there from that kind's generator. The
states of kinds that it has left are kept, so that it goes on where it was when it comes back.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from neurossm.errors import FormatError

Tensors = dict[str, Tensor]
_END = "_rng"
_OF_CPU, _OF_CUDA = f"torch{_END}", f"cuda{_END}"


def states(device: torch.device, kept: Tensors) -> Tensors:
    """Return the states of all generators under their names in a checkpoint.

    Parameters
    ----------
    device
        Where a run computes now.
    kept
        What `restore` returned.
    """
    found = {**kept, _OF_CPU: torch.get_rng_state()}
    if device.type == "cuda":
        found[_OF_CUDA] = torch.cuda.get_rng_state(device)
    return found


def restore(state: Tensors, device: torch.device, where: str) -> Tensors:
    """Put the generators of the CPU and of a device where a checkpoint says they were.

    A generator of which it says nothing, since the run was never there, stays as the seed left it.

    Returns
    -------
    dict
        The states of the other kinds of devices.

    Raises
    ------
    FormatError
        If one is no state of such a generator, or that of the CPU is missing.
    """
    _put(torch.set_rng_state, state.get(_OF_CPU), f"{where} {_OF_CPU}")
    here = {_OF_CPU}
    if device.type == "cuda":
        here.add(_OF_CUDA)
        if _OF_CUDA in state:
            _put(lambda one: torch.cuda.set_rng_state(one, device), state[_OF_CUDA],
                 f"{where} {_OF_CUDA}")  # fmt: skip
    return {name: one for name, one in state.items() if name.endswith(_END) and name not in here}


def has_been_on_a_gpu(state: Tensors) -> bool:
    """Tell from the generators in a checkpoint whether its run was on a GPU."""
    return _OF_CUDA in state


def _put(into: Callable[[Tensor], object], state: Tensor | None, where: str) -> None:
    try:
        if state is None:
            raise ValueError("none")
        into(state)
    except (TypeError, ValueError, RuntimeError) as error:
        expected = "the state of PyTorch's generator"
        raise FormatError(where, expected=expected, got=str(error)) from None
