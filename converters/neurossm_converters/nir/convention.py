"""What a step is: NIR is continuous in time, and no two tools agree on how to leave that.

=============  ====================================================================================
`exact`        the equations solved over a step, input held; time constants in ms as NIR documents
`euler`        one forward Euler step of all equations at once, from the state before the step
`snntorch`     Euler; seconds at a step of 1e-4, whatever the data; a synapse moves before its
               membrane (snnTorch 1.0.0, ``export_nir.py``)
`norse`        Euler; ``tau = dt / tau_inv``, so a step is ``dt * dt`` on that scale (norse#411); a
               spike is a jump of the current, which decays after the membrane has seen it
               (Norse 1.1.0, ``utils/export_nir.py``, ``functional/lif.py``)
`sinabs`       exact; time constants in steps; for layers with ``norm_input=True`` and
               ``spike_fn=SingleSpike``: that its default fires several times in a step is not in
               the file (sinabs 3.1.3, ``nir.py``)
=============  ====================================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError, InputError

Real = NDArray[np.float64]

NAMES = ("exact", "euler", "snntorch", "norse", "sinabs")
RESETS = ("nir", "subtract", "subtract-late")
UNITS = {"ms": 1e3, "s": 1.0}
SNNTORCH_DT = 1e-4
NORSE_DT = 1e-3


@dataclass(frozen=True)
class Convention:
    """How the equations of a NIR file become steps.

    Parameters
    ----------
    name
        One of `NAMES`.
    dt
        Duration of a step, in seconds.
    step
        The same in the unit of the file's time constants.
    unit
        That unit, in words.
    """

    name: str
    dt: float
    step: float
    unit: str

    @property
    def is_exact(self) -> bool:
        """True where equations are solved over the step, False for forward Euler."""
        return self.name in ("exact", "sinabs")

    def decay(self, tau: Real) -> Real:
        """Return what is left of a leaky state after a step without input."""
        return np.exp(-self.step / tau) if self.is_exact else 1 - self.step / tau

    def gain(self, tau: Real) -> Real:
        """Return what a held input of 1 adds to a leaky state of time constant tau in a step."""
        return np.asarray(-np.expm1(-self.step / tau) if self.is_exact else self.step / tau)

    @property
    def integral(self) -> float:
        """What a held input of 1 adds in a step to a membrane that does not leak (`IF`).

        Norse and sinabs add the input itself; snnTorch writes no `IF`.
        """
        return 1.0 if self.name in ("norse", "sinabs") else self.step

    def describe(self) -> str:
        """Return the convention in one line."""
        solved = "exact" if self.is_exact else "forward Euler"
        return f"{self.name}: {solved} steps of {self.dt:g} s, time constants in {self.unit}"


def convention(
    name: str, dt: float | None, tau_unit: str | None, said: dict[str, Any]
) -> Convention:
    """Return the convention that was asked for.

    Parameters
    ----------
    name
        One of `NAMES`.
    dt, tau_unit
        What the user said; None where nothing.
    said
        ``dt`` in seconds and ``tau_unit`` as neurossm leaves them in a file, where they are there.

    Raises
    ------
    InputError
        If the name or unit is unknown, or nobody said how long a step is.
    FormatError
        If the file holds an unknown unit.
    """
    if name not in NAMES:
        raise InputError("--convention", expected=" | ".join(NAMES), got=repr(name))
    if tau_unit is not None and tau_unit not in UNITS:
        raise InputError("--tau-unit", expected=" | ".join(UNITS), got=repr(tau_unit))
    if tau_unit and name not in ("exact", "euler"):
        raise InputError(
            "--tau-unit", expected=f"none, as {name} has a unit of its own", got=repr(tau_unit)
        )
    known = {"snntorch": SNNTORCH_DT, "norse": NORSE_DT}
    found = dt if dt is not None else said.get("dt", known.get(name))
    if found is None:
        raise InputError(
            "--dt",
            expected="the duration of a step in seconds, which a NIR file does not hold",
            got="none",
            remedy="give --dt, or the --convention of the tool that wrote the file",
        )
    seconds = float(found)
    if not 0 < seconds < float("inf"):
        raise InputError("--dt", expected="a positive time in seconds", got=f"{seconds:g}")
    if name == "snntorch":
        return Convention(name, seconds, SNNTORCH_DT, "s at snnTorch's own step of 1e-4 s")
    if name == "norse":
        return Convention(name, seconds, seconds * seconds, "s times dt")
    if name == "sinabs":
        return Convention(name, seconds, 1.0, "steps")
    unit = str(tau_unit or said.get("tau_unit", "ms"))
    if unit not in UNITS:
        raise FormatError("tau_unit in the metadata", expected=" | ".join(UNITS), got=repr(unit))
    return Convention(name, seconds, seconds * UNITS[unit], unit)
