"""A number of a chip with where it comes from: `Quantity`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from neurossm.errors import InputError

GRADES = {
    "P": "primary: the paper, code or notebook itself",
    "P*": "tabulated by a paper that cites the primary source",
    "S": "secondary: a third party's digest",
    "D": "derived from primary material; the arithmetic can be redone",
    "U": "unverified, or an assumption",
}


@dataclass(frozen=True)
class Quantity:
    """A published number, or the two ends of a published range.

    Parameters
    ----------
    low, high
        The ends, equal where one number is known; in `unit`.
    unit
        SI unit or the thing counted: ``J``, ``s``, ``W``, ``core``, ``word``.
    source
        Where it was found.
    grade
        Grade of evidence, a key of `GRADES`.
    note
        What else a reader must know.

    Raises
    ------
    InputError
        If an end is not a finite number at or above zero, the ends are reversed, the unit or the
        source is empty, or the grade is unknown.
    """

    low: float
    high: float
    unit: str
    source: str
    grade: str
    note: str = ""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low >= 0):
            raise InputError(
                "quantity", expected="finite numbers, 0 or more", got=f"{self.low}, {self.high}"
            )
        if self.low > self.high:
            raise InputError("quantity", expected="low <= high", got=f"{self.low} > {self.high}")
        for name in ("unit", "source"):
            if not getattr(self, name).strip():
                raise InputError(f"quantity {name}", expected="a text", got="an empty one")
        if self.grade not in GRADES:
            raise InputError("quantity grade", expected=" | ".join(GRADES), got=repr(self.grade))

    @property
    def value(self) -> float:
        """The number, where it is one.

        Raises
        ------
        InputError
            If it is a range.
        """
        if self.low != self.high:
            raise InputError("quantity", expected="one number", got=str(self), remedy="use an end")
        return self.low

    def __str__(self) -> str:
        number = f"{self.low:g}" if self.low == self.high else f"{self.low:g} to {self.high:g}"
        return f"{number} {self.unit} [{self.grade}]"
