"""The role of a field of a node that holds numbers, said where the field is declared."""

from __future__ import annotations

from dataclasses import Field, dataclass, field
from typing import Any

_ROLE = "parameter"


@dataclass(frozen=True)
class Parameter:
    """What a field of numbers is.

    Attributes
    ----------
    axes
        Its axes, a letter each: ``C`` channels, ``O`` and ``I`` out and in, ``N`` modes, ``K``
        segments. One letter is one size within a node.
    """

    axes: str


def parameter(axes: str) -> Any:
    """Declare a field of numbers of a node: ``theta: Array = parameter("C")``.

    See `Parameter` for the arguments.
    """
    return field(metadata={_ROLE: Parameter(axes)})


def declared(cls: type) -> dict[str, Parameter]:
    """Return the parameters that the body of a class declares, by name, in order."""
    return {
        name: value.metadata[_ROLE]
        for name, value in vars(cls).items()
        if isinstance(value, Field) and _ROLE in value.metadata
    }
