"""States that modules of other libraries keep between calls, reset to their initial values.

And copies of modules whose own ``__deepcopy__`` does not work.

What a node computes begins at rest. A module that was called before goes on from where it was, so
whoever compares the two calls this first.
"""

from __future__ import annotations

import sys
from copy import deepcopy
from typing import Any

import torch
from torch import nn


def reset_states(model: nn.Module) -> None:
    """Put every state within a model back to what it was before the first call, in place.

    snnTorch's ``mem`` and ``syn``, SpikingJelly's memories, sinabs' states and SLAYER's persistent
    ones; of libraries that are not imported nothing can be there.
    """
    stateful = sys.modules.get("spikingjelly.activation_based.base")
    memory = getattr(stateful, "MemoryModule", None)
    spiking = getattr(sys.modules.get("snntorch"), "SpikingNeuron", None)
    layer = getattr(sys.modules.get("sinabs.layers"), "StatefulLayer", None)
    slayer = getattr(sys.modules.get("lava.lib.dl.slayer.neuron.base"), "Neuron", None)
    for module in model.modules():
        if memory is not None and isinstance(module, memory):
            module.reset()
        elif spiking is not None and isinstance(module, spiking):
            _clear(module, "mem", "syn", "syn_exc", "syn_inh")
        elif layer is not None and isinstance(module, layer):
            _clear(module, *(name for name, _ in module.named_buffers(recurse=False)))
        elif slayer is not None and isinstance(module, slayer):
            _clear(module, "current_state", "voltage_state", size=1)
        if getattr(module, "delay_buffer", None) is not None and slayer is not None:
            setattr(module, "delay_buffer", None)  # noqa: B010


def copy_recurrent_layers(model: nn.Module, memo: dict[int, Any]) -> None:
    """Copy the recurrent layers of sinabs in a model into the memo of a `copy.deepcopy` to come.

    Their own ``__deepcopy__`` (3.1.3) looks for the parameters of ``rec_connect`` in the layer
    itself, and fails.
    """
    layer = getattr(sys.modules.get("sinabs.layers"), "StatefulLayer", None)
    found = [
        module for module in model.modules()
        if layer is not None and isinstance(module, layer) and any(module.children())
    ]  # fmt: skip
    for module in found:
        kind: Any = type(module)
        memo[id(module)] = kind.__new__(kind)
    for module in found:
        memo[id(module)].__dict__.update(deepcopy(vars(module), memo))


def _clear(module: nn.Module, *names: str, size: int = 0) -> None:
    """Make states empty, in their type and where they are: the next call makes them anew."""
    for name in names:
        state = getattr(module, name, None)
        if isinstance(state, torch.Tensor):
            setattr(module, name, torch.zeros(size, dtype=state.dtype, device=state.device))
