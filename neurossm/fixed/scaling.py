"""How real numbers become the integers of an input, and what the real numbers of an output are.

Shape letters: ``F`` channels of an input, ``K`` channels of an output.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurossm.errors import InputError

Reals = NDArray[np.float64]
_IN_CACHE = 2**15  # values that become integers in one piece
MOST_BITS = 23  # magnitude bits: a graded spike has 24 with its sign


@dataclass(frozen=True, eq=False)
class Scaling:
    """Real values as integers: ``m = rint((v - offset) / unit)``, at most ``2**bits - 1``.

    Learned on the training part of a data set, kept in the graph, and applied to whatever is run
    later.

    Attributes
    ----------
    unit
        Real value of one integer unit, ``(F,)``, above 0.
    offset
        Real value of the integer 0, ``(F,)``.
    scale
        What the network takes one unit for, ``(F,)``: it sees ``m * scale``.
    bits
        Magnitude bits of the integers, 1 to 23; they are signed.

    Raises
    ------
    InputError
        If the three have not one length, a number is not finite, a unit or scale not above 0, or
        `bits` out of range.
    """

    unit: Reals
    offset: Reals
    scale: Reals
    bits: int

    def __post_init__(self) -> None:
        _take_up(self, "unit", "offset", "scale")
        for name in ("unit", "scale"):
            if not np.all(getattr(self, name) > 0):
                raise InputError(f"scaling {name}", expected="numbers above 0",
                                 got=f"{float(np.min(getattr(self, name))):g}")  # fmt: skip
        if isinstance(self.bits, bool) or not 1 <= self.bits <= MOST_BITS:
            raise InputError("scaling bits", expected=f"1 to {MOST_BITS}", got=repr(self.bits))

    @property
    def largest(self) -> int:
        """The largest integer there is."""
        return int(2**self.bits - 1)

    def to_integers(self, values: ArrayLike) -> tuple[NDArray[np.int32], int]:
        """Return the integers of real values ``(..., F)``, and how many were clipped.

        Raises
        ------
        InputError
            For another number of channels, and for values that are not finite.
        """
        array = np.asarray(values)
        _check_channels("values", array, len(self.unit))
        channels, clipped = len(self.unit), 0
        found = np.empty(array.shape, dtype=np.int32)
        rows, into = array.reshape(-1, channels), found.reshape(-1, channels)
        size = max(1, _IN_CACHE // channels)
        for first in range(0, len(rows), size):
            units = self._units(rows[first : first + size])
            if units.size and max(-units.min(), units.max()) > self.largest:
                clipped += int(np.count_nonzero(np.abs(units) > self.largest))
                units = np.clip(units, -self.largest, self.largest)
            into[first : first + size] = units
        return found, clipped

    def beyond(self, values: ArrayLike) -> NDArray[np.bool_]:
        """Tell which real values ``(..., F)`` are clipped; raises as `to_integers`."""
        return np.asarray(np.abs(self._units(values)) > self.largest)

    def _units(self, values: ArrayLike) -> NDArray[Any]:
        array = np.asarray(values)
        _check_channels("values", array, len(self.unit))
        if np.issubdtype(array.dtype, np.integer) and self.is_identity:
            return array.astype(np.int64)
        units = array.astype(np.float64)
        with np.errstate(over="ignore"):  # refused below
            units -= self.offset
            units /= self.unit
        np.rint(units, out=units)
        if not np.all(np.isfinite(units)):
            got = f"{int(np.count_nonzero(~np.isfinite(units)))} that are not"
            raise InputError("values", expected="finite numbers", got=got)
        return np.asarray(units)

    def to_values(self, integers: ArrayLike) -> Reals:
        """Return the real values of integers ``(..., F)``."""
        return np.asarray(np.asarray(integers, dtype=np.float64) * self.unit + self.offset)

    @property
    def is_identity(self) -> bool:
        """Whether the integers are the values themselves."""
        return bool(np.all(self.unit == 1) and np.all(self.offset == 0))

    def as_json(self) -> dict[str, Any]:
        """Return plain values, which ``Scaling.from_json`` takes."""
        return {
            "unit": self.unit.tolist(),
            "offset": self.offset.tolist(),
            "scale": self.scale.tolist(),
            "bits": int(self.bits),
        }

    @classmethod
    def from_json(cls, given: Any) -> Scaling:
        """Return what `as_json` gave; `InputError` for anything else."""
        names = ("unit", "offset", "scale", "bits")
        if not isinstance(given, dict) or set(given) != set(names):
            raise InputError("scaling", expected=f"the keys {', '.join(names)}", got=_kind(given))
        if not isinstance(given["bits"], int):
            raise InputError("scaling bits", expected="a whole number", got=_kind(given["bits"]))
        return cls(**given)


@dataclass(frozen=True, eq=False)
class TargetScaling:
    """Real values of an output: ``v = y * unit + offset``.

    A network learns targets of mean 0 and standard deviation 1; this gives them their units back.

    Attributes
    ----------
    unit, offset
        ``(K,)``; units are above 0.

    Raises
    ------
    InputError
        As of `Scaling`.
    """

    unit: Reals
    offset: Reals

    def __post_init__(self) -> None:
        _take_up(self, "unit", "offset")
        if not np.all(self.unit > 0):
            got = f"{float(np.min(self.unit)):g}"
            raise InputError("target scaling unit", expected="numbers above 0", got=got)

    def to_values(self, outputs: ArrayLike) -> Reals:
        """Return the real values of a network's outputs ``(..., K)``."""
        return np.asarray(np.asarray(outputs, dtype=np.float64) * self.unit + self.offset)

    def to_outputs(self, values: ArrayLike) -> Reals:
        """Return what the network is to answer for real values ``(..., K)``."""
        return np.asarray((np.asarray(values, dtype=np.float64) - self.offset) / self.unit)

    def as_json(self) -> dict[str, Any]:
        """Return plain values, which ``TargetScaling.from_json`` takes."""
        return {"unit": self.unit.tolist(), "offset": self.offset.tolist()}

    @classmethod
    def from_json(cls, given: Any) -> TargetScaling:
        """Return what `as_json` gave; `InputError` for anything else."""
        if not isinstance(given, dict) or set(given) != {"unit", "offset"}:
            got = _kind(given)
            raise InputError("target scaling", expected="the keys unit, offset", got=got)
        return cls(**given)


def _take_up(scaling: Scaling | TargetScaling, *names: str) -> None:
    """Make the fields read-only float64 vectors of one length."""
    first = 0
    for name in names:
        try:
            array = np.array(getattr(scaling, name), dtype=np.float64)
        except (TypeError, ValueError):
            array = np.full(1, np.nan)
        if array.ndim != 1 or not array.size or not np.all(np.isfinite(array)):
            got = f"shape {array.shape}" if array.ndim != 1 else "others"
            raise InputError(f"scaling {name}", expected="finite numbers, one a channel", got=got)
        first = first or array.size
        if array.size != first:
            raise InputError(f"scaling {name}", expected=f"{first} numbers", got=str(array.size))
        array.setflags(write=False)
        object.__setattr__(scaling, name, array)


def _check_channels(where: str, array: NDArray[Any], channels: int) -> None:
    if not array.ndim or array.shape[-1] != channels:
        raise InputError(where, expected=f"{channels} channels", got=f"shape {array.shape}")


def _kind(given: object) -> str:
    return f"{', '.join(map(str, given))}" if isinstance(given, dict) else type(given).__name__
