"""A number of a chip with where it comes from: `Quantity`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator

from neurossm.arguments import shown
from neurossm.errors import InputError
from neurossm.validation import NotNegative, Text, checked, settle

Grade = Literal["P", "P*", "S", "D", "U"]
GRADES: dict[Grade, str] = {
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

    low: NotNegative
    high: NotNegative
    unit: Text
    source: Text
    grade: Grade
    note: str = ""

    def __post_init__(self) -> None:
        settle("quantity", self)
        if self.low > self.high:
            raise InputError("quantity", expected="low <= high", got=f"{self.low} > {self.high}")

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


@dataclass(frozen=True)
class _Value:
    value: NotNegative


def _ends(table: object) -> object:
    """Return the table of a number with its two ends, as `Quantity` has them."""
    if not isinstance(table, dict):
        if isinstance(table, Quantity):
            return table
        raise InputError("number", expected="a table {value | low, high; unit; source; grade}",
                         got=shown(table), remedy="a number needs its source and grade;"
                         " leave out what is unknown")  # fmt: skip
    given = sorted({"value", "low", "high"}.intersection(table))
    if given == ["high", "low"]:
        return table
    if given != ["value"]:
        got = " and ".join(given) or "neither"
        raise InputError("number", expected="either value, or low and high", got=got)
    value = checked({"value": table["value"]}, _Value, "number ")["value"]
    return {"low": value, "high": value, **{k: v for k, v in table.items() if k != "value"}}


def _in(unit: str, number: Quantity | None) -> Quantity | None:
    if number is not None and number.unit != unit:
        raise InputError("number unit", expected=repr(unit), got=repr(number.unit))
    return number


def in_unit(unit: str) -> AfterValidator:
    """Return the check that a number is in this unit."""
    return AfterValidator(partial(_in, unit))


Measured = Annotated[Quantity, BeforeValidator(_ends)]
