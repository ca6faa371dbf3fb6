"""What all nodes share: frozen parameters, checked shapes, equality by value."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import GraphError
from neurossm.fixed import Fixed, Quantized
from neurossm.nodes.typed import check_types, real_numbers

Array = NDArray[np.float64] | Quantized


@dataclass(frozen=True, eq=False, kw_only=True)
class Node(ABC):
    """Base of all nodes; abstract.

    Attributes
    ----------
    out
        Number format of the messages it sends; None in a float graph (except at an `Input`, where
        it is the format of the data, and at nodes that spike).
    """

    out: Fixed | None = None

    separate_operands: ClassVar[bool] = False
    shapes: ClassVar[dict[str, str]] = {}

    def __post_init__(self) -> None:
        check_types(self)
        sizes: dict[str, int] = {}
        for name, letters in self.shapes.items():
            value = as_parameter(getattr(self, name), f"{type(self).__name__}.{name}")
            object.__setattr__(self, name, value)
            if len(value.shape) != len(letters):
                raise GraphError(
                    f"{type(self).__name__}.{name}",
                    expected=f"{len(letters)} axes ({', '.join(letters)})",
                    got=f"shape {value.shape}",
                )
            for letter, size in zip(letters, value.shape, strict=True):
                if sizes.setdefault(letter, size) != size or size == 0:
                    raise GraphError(
                        f"{type(self).__name__}.{name}",
                        expected=f"{letter} = {sizes[letter]}, not empty",
                        got=f"shape {value.shape}",
                    )
        kinds = {isinstance(getattr(self, name), Quantized) for name in self.shapes}
        if len(kinds) > 1:
            raise GraphError(
                type(self).__name__, expected="all parameters float or all integer", got="a mixture"
            )

    @property
    @abstractmethod
    def in_channels(self) -> int:
        """Channels that it receives; 0 for an `Input`."""

    @property
    def out_channels(self) -> int:
        """Channels that it sends."""
        return self.in_channels

    @property
    def states(self) -> int:
        """Real numbers of state that it carries from step to step."""
        return 0

    @property
    def updates(self) -> int:
        """Neuron updates that a time step takes; none where there are only synapses."""
        return self.in_channels

    @property
    def parameters(self) -> int:
        """Real numbers among its parameters (a complex one counts as two)."""
        return sum(int(np.prod(getattr(self, name).shape)) for name in self.shapes)

    @property
    def is_integer(self) -> bool:
        """True where its parameters and messages are integers with formats."""
        return self.out is not None and all(
            isinstance(getattr(self, name), Quantized) for name in self.shapes
        )

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(
            _equal(getattr(self, item.name), getattr(other, item.name)) for item in fields(self)
        )

    __hash__ = None  # type: ignore[assignment]  # holds arrays


def format_of(node: Node) -> Fixed:
    """Return the message format of a node that has one (an integer node, checked before)."""
    assert node.out is not None
    return node.out


def quantized(parameter: object) -> Quantized:
    """Return a parameter of an integer node (checked before) as what it is."""
    assert isinstance(parameter, Quantized)
    return parameter


def as_parameter(value: object, where: str) -> Array:
    """Return a parameter as read-only float64, or as the `Quantized` it is; refuse nan."""
    if isinstance(value, Quantized):
        return value
    array = real_numbers(value, where)
    if not np.all(np.isfinite(array)):
        raise GraphError(where, expected="finite numbers", got="nan or infinity")
    array.setflags(write=False)
    return array


def mantissas(parameter: Array) -> NDArray[np.float64] | NDArray[np.int64]:
    """Return the numbers of a parameter as they stand: real, or integers without exponent."""
    return parameter.values if isinstance(parameter, Quantized) else parameter


def check_spikes(node: Node, fmt: Fixed) -> None:
    """Give a node that spikes its one message format; raise `GraphError` for another."""
    if node.out is None:
        object.__setattr__(node, "out", fmt)
    if node.out != fmt:
        raise GraphError(f"{type(node).__name__}.out", expected=str(fmt), got=str(node.out))


def check_channels(node: Node, channels: int) -> None:
    """Raise `GraphError` for a node without channels."""
    if not hasattr(channels, "__index__") or channels < 1:
        raise GraphError(
            f"{type(node).__name__}.channels", expected="at least 1", got=str(channels)
        )


def _equal(left: object, right: object) -> bool:
    if isinstance(left, np.ndarray) or isinstance(right, np.ndarray):
        return np.array_equal(np.asarray(left), np.asarray(right))
    return bool(left == right)
