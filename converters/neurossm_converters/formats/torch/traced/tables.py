"""Tables of supported operations and layers, and kinds of tensors that are not signals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from torch import nn

from neurossm.errors import GraphError
from neurossm_converters.formats.torch.traced.signals import Signal, Unfollowed

Handler = Callable[..., Any]
Entered = TypeVar("Entered", bound=Handler)
OPERATIONS: dict[str, Handler] = {}  # of functions and methods of tensors, by name
MODULES: dict[type[nn.Module], Handler] = {}  # of PyTorch's layers
# which refuse whatever they are given
REFUSING: set[Handler] = set()
UNKNOWN = "write it with supported operations, or put it in a module and give its converter"


def operation(*names: str) -> Callable[[Entered], Entered]:
    """Enter a function in the table of operations under these names."""

    def entered(handler: Entered) -> Entered:
        OPERATIONS.update(dict.fromkeys(names, handler))
        return handler

    return entered


def layer(*types: type[nn.Module]) -> Callable[[Entered], Entered]:
    """Enter a function in the table of layers."""

    def entered(handler: Entered) -> Entered:
        MODULES.update(dict.fromkeys(types, handler))
        return handler

    return entered


def refusing(handler: Entered) -> Entered:
    """Mark a function that refuses whatever it is given: also behind what is refused already."""
    REFUSING.add(handler)
    return handler


@dataclass(frozen=True)
class State:
    """What a cell returns beside its output at a step: only to be passed back to it."""

    path: str
    key: bytes
    at: int
    place: int = field(default=0, compare=False)  # among the results
    shape: Any = field(default=None, compare=False)
    last: bool = field(default=False, compare=False)  # of the results
    signal: Signal | None = field(default=None, compare=False, repr=False)  # that the cell took


@dataclass(frozen=True)
class Useless:
    """A result that cannot be expressed, with the reason; it may be left unused."""

    reason: Unfollowed


@dataclass(frozen=True)
class Kept:
    """States of a cell that no node sends, perhaps of many steps; to be returned or left unused."""

    path: str
    reason: GraphError


@dataclass(frozen=True)
class Window:
    """Some steps of a signal, or more than all: 0 where there are none; to become a shift.

    Parameters
    ----------
    signal
        At every step.
    place
        The axis of time.
    start, length
        The first step, below 0 where zeros stand in front, and how many.
    reason
        Why anything else than zeros, cuts and concatenations can do nothing with it.
    """

    signal: Signal
    place: int
    start: int
    length: int
    reason: GraphError


@dataclass(frozen=True)
class Poisoned:
    """What depends on something that is refused already."""
