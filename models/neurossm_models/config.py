"""What describes a network: plain values, no framework."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass

from neurossm.errors import InputError

INITS = ("lin", "inv", "legs")
DISCRETIZATIONS = ("zoh", "bilinear")
MIXINGS = ("glu", "linear")


@dataclass(frozen=True)
class BinaryS4DConfig:
    """Shape and initialization of a `BinaryS4D` network.

    Parameters
    ----------
    in_features
        Values of one time step of the input.
    classes
        Outputs of the decoder.
    width
        Features H of every layer.
    state
        Real states N of a feature; ``N // 2`` complex modes are kept. Even.
    layers
        Number of blocks.
    init
        Initial poles: ``"lin"``, ``"inv"`` or ``"legs"``.
    discretization
        ``"zoh"`` or ``"bilinear"``.
    dt_min, dt_max
        Range of the initial time steps, log-uniform, where one input step lasts 1.
    mixing
        ``"glu"``: ``(W1 s + b1) * sigmoid(W2 s + b2)``, as published; ``"linear"``: ``W s + b``.
    dropout
        Probability with which a feature is silenced for a whole sequence while training.
    threshold
        Initial value of every spike threshold, in standard deviations of the normalized v.

    Raises
    ------
    InputError
        If a value is out of its range.
    """

    in_features: int = 1
    classes: int = 10
    width: int = 64
    state: int = 32
    layers: int = 2
    init: str = "lin"
    discretization: str = "zoh"
    dt_min: float = 1e-3
    dt_max: float = 1e-1
    mixing: str = "glu"
    dropout: float = 0.0
    threshold: float = 1.0

    def __post_init__(self) -> None:
        for name in ("in_features", "classes", "width", "layers"):
            value = getattr(self, name)
            if value < 1:
                raise InputError(f"model {name}", expected="at least 1", got=str(value))
        if self.state < 2 or self.state % 2:
            raise InputError("model state", expected="an even number from 2", got=str(self.state))
        if not 0 < self.dt_min <= self.dt_max:
            got = f"{self.dt_min} and {self.dt_max}"
            raise InputError("model dt_min, dt_max", expected="0 < dt_min <= dt_max", got=got)
        if not 0 <= self.dropout < 1:
            raise InputError("model dropout", expected="0 <= p < 1", got=str(self.dropout))
        check_choice("model init", self.init, INITS)
        check_choice("model discretization", self.discretization, DISCRETIZATIONS)
        check_choice("model mixing", self.mixing, MIXINGS)


def check_choice(where: str, value: str, choices: Sequence[str]) -> None:
    """Raise `InputError` unless `value` is one of `choices`; name the nearest one."""
    if value not in choices:
        expected = "one of " + ", ".join(choices)
        raise InputError(where, expected=expected, got=repr(value), remedy=nearest(value, choices))


def nearest(word: str, known: Sequence[str]) -> str:
    """Return ``did you mean '...'?`` for the known word closest to `word`, or an empty string."""
    close = difflib.get_close_matches(str(word), known, n=1)
    return f"did you mean {close[0]!r}?" if close else ""
