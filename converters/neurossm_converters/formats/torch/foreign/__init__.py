"""Modules of other libraries: snnTorch, Norse, SpikingJelly, sinabs, SLAYER, state-spaces/s4.

An instance of a class can only be there where its library was imported, so only libraries in
`sys.modules` are looked at, and none is imported here. To add one: a file with a table of class
name to converter, and its line in `HOMES`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import ModuleType
from typing import TypeVar

from torch import nn

from neurossm_converters.formats.torch.builder import Converter
from neurossm_converters.formats.torch.foreign import (
    norse,
    s4,
    sinabs,
    slayer,
    snntorch,
    spikingjelly,
)
from neurossm_converters.formats.torch.foreign.s4_checkpoint import from_s4_checkpoint
from neurossm_converters.formats.torch.foreign.slayer_integers import from_slayer
from neurossm_converters.formats.torch.foreign.states import reset_states

Value = TypeVar("Value")

__all__ = [
    "foreign_containers",
    "foreign_converters",
    "foreign_membranes",
    "foreign_remedies",
    "from_s4_checkpoint",
    "from_slayer",
    "reset_states",
]

SLAYER = "lava.lib.dl.slayer.block"

# where a library keeps its classes, and what each becomes
HOMES: tuple[tuple[str, Mapping[str, Converter]], ...] = (
    ("snntorch", snntorch.CONVERTERS),
    ("norse.torch", norse.CONVERTERS),
    ("spikingjelly.activation_based.neuron", spikingjelly.NEURONS),
    ("spikingjelly.activation_based.layer", spikingjelly.PARTS),
    ("sinabs.layers", sinabs.LAYERS),
    (f"{SLAYER}.cuba", slayer.CONVERTERS),
)
CONTAINERS: tuple[tuple[str, Mapping[str, Converter]], ...] = (
    ("norse.torch", norse.CONTAINERS),
    ("spikingjelly.activation_based.layer", spikingjelly.CONTAINERS),
    ("sinabs.layers", sinabs.CONTAINERS),
    ("sinabs.network", sinabs.NETWORKS),
)
REMEDIES: tuple[tuple[str, Mapping[str, str]], ...] = (
    ("snntorch", snntorch.REMEDIES),
    ("norse.torch", norse.REMEDIES),
    ("spikingjelly.activation_based.neuron", spikingjelly.NEURON_REMEDIES),
    ("spikingjelly.activation_based.layer", spikingjelly.PART_REMEDIES),
    ("sinabs.layers", sinabs.REMEDIES),
    (f"{SLAYER}.cuba", slayer.REMEDIES),
    *((f"{SLAYER}.{kind}", dict.fromkeys(slayer.CONVERTERS, slayer.OTHER_BLOCKS))
      for kind in ("alif", "adrf", "adrf_iz", "rf", "rf_iz", "sigma_delta")),
)  # fmt: skip


def foreign_converters() -> dict[type[nn.Module], Converter]:
    """Return the converters of the libraries that are imported, by class."""
    found = _classes(HOMES)
    for name, (companion, converter) in s4.CONVERTERS.items():
        for kind in _copies(name, companion):
            found[kind] = converter
    return found


def foreign_containers() -> dict[type[nn.Module], Converter]:
    """Return the converters of modules that only hold others, one behind the other.

    They are for `Builder.convert`; whoever follows a forward goes through these by itself.
    """
    return _classes(CONTAINERS)


def foreign_remedies() -> dict[type[nn.Module], str]:
    """Return what to do instead of classes of these libraries that have no converter."""
    return _classes(REMEDIES)


def foreign_membranes() -> dict[type[nn.Module], Converter]:
    """Return converters of the membrane that a class returns beside its spikes.

    They add it as a node of its own, and refuse where the membrane is ever reset. In snnTorch it is
    the last output: ``spk, mem = leaky(x, mem)``.
    """
    return _classes((("snntorch", snntorch.MEMBRANES),))


def _classes(homes: tuple[tuple[str, Mapping[str, Value]], ...]) -> dict[type[nn.Module], Value]:
    found: dict[type[nn.Module], Value] = {}
    for home, table in homes:
        module = sys.modules.get(home)
        for name, value in table.items():
            kind = getattr(module, name, None)
            if isinstance(kind, type) and issubclass(kind, nn.Module):
                found.setdefault(kind, value)
    return found


def _copies(name: str, companion: str) -> list[type[nn.Module]]:
    """Return the classes of this name, in whatever module, beside which is the other one."""
    found = []
    for module in list(sys.modules.values()):
        names = vars(module) if isinstance(module, ModuleType) else {}
        kind = names.get(name)
        beside = names.get(companion)
        if isinstance(kind, type) and issubclass(kind, nn.Module) and isinstance(beside, type):
            found.append(kind)
    return found
