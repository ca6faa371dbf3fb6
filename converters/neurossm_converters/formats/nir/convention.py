"""Time steps: NIR is continuous in time, and tools differ in how they discretize it.

================ =================================================================================
`exact`          the equations solved over a step, input held; time constants in ms as NIR documents
`euler`          one forward Euler step of all equations at once, from the state before the step
`snntorch`       Euler; seconds at a step of 1e-4, whatever the data; a synapse moves before its
                 membrane (snnTorch 1.0.0, ``export_nir.py``)
`norse-dt`       Euler; ``tau = dt / tau_inv``, so a step is ``dt * dt`` in its unit (norse#411); a
                 spike is a jump of the current, which decays after the membrane has seen it
                 (Norse 1.1.0, ``utils/export_nir.py``, ``functional/lif.py``)
`norse-s`        the same with ``tau = 1 / tau_inv`` in seconds (before 1.1.0, and since norse#413)
`norse`          whichever of the two makes sense of the time constants of the file
`sinabs`         exact; time constants in steps; fires at the threshold; for layers with
                 ``norm_input=True`` and ``spike_fn=SingleSpike``: that its default fires several
                 times in a step is not in the file (sinabs 3.1.3, ``nir.py``)
`spikingjelly`   Euler; seconds at a step of 1e-4, or of the ``dt`` of its export; fires at the
                 threshold (SpikingJelly 2.0.0, ``nir_exchange/to_nir.py``)
`rockpool`       exact decay in seconds, input added as it is, the threshold subtracted; fires at
                 the threshold; for ``max_spikes_per_dt=1`` (Rockpool 3.1.0, ``torch/nir.py``)
================ =================================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError, InputError
from neurossm_converters.formats.nir.sense import DEFAULT_DT, SNNTORCH_DT, makes_sense, others

Real = NDArray[np.float64]

NAMES = (
    "exact", "euler", "snntorch", "norse", "norse-dt", "norse-s", "sinabs", "spikingjelly",
    "rockpool",
)  # fmt: skip
RESETS = ("nir", "subtract", "subtract-late", "none")
COMPARISONS = ("gt", "ge")
UNITS = {"ms": 1e3, "s": 1.0}
OWN = {
    "spikingjelly": "SpikingJelly", "rockpool": "Rockpool", "norse-dt": "Norse", "norse-s": "Norse",
}  # fmt: skip


@dataclass(frozen=True)
class Convention:
    """How the equations of a NIR file become steps.

    Parameters
    ----------
    name
        One of `NAMES` but ``norse``.
    dt
        Duration of a step in seconds, as the user or the file says it; None where neither does.
    step
        What a step is in the unit of the file's time constants; where nobody says dt, by the tool's
        own default.
    unit
        That unit, in words.
    others
        Options that would make sense of the file's time constants, if these do not.
    said
        True where the user named the unit, so that unusual time constants are no mistake.
    """

    name: str
    dt: float | None
    step: float
    unit: str
    others: tuple[str, ...] = ()
    said: bool = False

    @property
    def is_exact(self) -> bool:
        """True where equations are solved over the step, False for forward Euler."""
        return self.name in ("exact", "sinabs", "rockpool")

    @property
    def is_norse(self) -> bool:
        """True for either way in which Norse writes."""
        return self.name.startswith("norse")

    @property
    def is_single(self) -> bool:
        """True where a tool is meant, all of which compute membranes in float32."""
        return self.name not in ("exact", "euler")

    @property
    def compare(self) -> str:
        """``ge`` where a membrane at its threshold spikes, ``gt`` where it must be above."""
        return "ge" if self.name in ("sinabs", "spikingjelly", "rockpool") else "gt"

    @property
    def reset(self) -> str:
        """What a spike does where the user says nothing; Rockpool has one way only."""
        return "subtract" if self.name == "rockpool" else "nir"

    @property
    def integral(self) -> float:
        """What a held input of 1 adds in a step to a membrane that does not leak (`IF`).

        Norse and sinabs add the input itself; snnTorch and Rockpool write no `IF`.
        """
        return 1.0 if self.is_norse or self.name == "sinabs" else self.step

    def describe(self) -> str:
        """Return the convention in one line."""
        solved = "exact" if self.is_exact else "forward Euler"
        at = "at" if self.compare == "ge" else "above"
        steps = "steps" if self.dt is None else f"steps of {self.dt:g} s"
        return (
            f"{self.name}: {solved} {steps}, time constants in {self.unit}, "
            f"spikes {at} the threshold"
        )

    def hint(self) -> str:
        """Return what to do about time constants that make no sense."""
        if self.others:
            return "it would make sense with " + ", or with ".join(self.others)
        return "check --dt, --tau-unit and --convention; no memory at all is a Threshold"


def convention(
    name: str, dt: float | None, tau_unit: str | None, said: dict[str, Any], taus: Real,
    fits: Sequence[str] = (),
) -> Convention:  # fmt: skip
    """Return the convention that was asked for.

    Parameters
    ----------
    name
        One of `NAMES`.
    dt, tau_unit
        What the user said; None where nothing.
    said
        ``dt`` in seconds and ``tau_unit`` as neurossm leaves them in a file, where they are there.
    taus
        All finite time constants above 0 of the file.
    fits
        Conventions to name where nobody says dt, the likeliest first.

    Raises
    ------
    InputError
        If the name or unit is unknown, nobody said how long a step is, or both ways of Norse make
        sense of the file.
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
    known = dt if dt is not None else said.get("dt")
    seconds = _seconds(known if known is not None else DEFAULT_DT.get(name), fits)
    duration = None if known is None else seconds
    if name == "norse":
        name = _way_of_norse(seconds, taus)
        return _made(name, duration, seconds, taus, False)
    if name not in ("exact", "euler"):
        return _made(name, duration, seconds, taus, name in ("norse-dt", "norse-s"))
    unit = str(tau_unit or said.get("tau_unit", "ms"))
    if unit not in UNITS:
        raise FormatError("tau_unit in the metadata", expected=" | ".join(UNITS), got=repr(unit))
    step = seconds * UNITS[unit]
    is_said = tau_unit is not None or "tau_unit" in said
    return Convention(name, seconds, step, unit, others(name, seconds, step, taus), is_said)


def _made(
    name: str, duration: float | None, seconds: float, taus: Real, is_said: bool
) -> Convention:
    step, unit = {
        "snntorch": (SNNTORCH_DT, "s at snnTorch's own step of 1e-4 s"),
        "norse-dt": (seconds * seconds, "s times dt"),
        "sinabs": (1.0, "steps"),
    }.get(name, (seconds, "s"))
    if duration is None and name in OWN:
        unit += f" at {OWN[name]}'s own dt of {seconds:g} s"
    return Convention(name, duration, step, unit, others(name, duration, step, taus), is_said)


def _seconds(found: Any, fits: Sequence[str] = ()) -> float:
    if found is None:
        remedy = "give --dt, or the --convention of the tool that wrote the file"
        if fits:
            options = " or ".join(f"--convention {name}" for name in fits)
            verb = "fits" if len(fits) == 1 else "both fit" if len(fits) == 2 else "all fit"
            remedy = f"give {options} ({verb} its time constants), or --dt"
        raise InputError(
            "--dt",
            expected="the duration of a step in seconds, which a NIR file does not hold",
            got="none",
            remedy=remedy,
        )
    seconds = float(found)
    if not 0 < seconds < float("inf"):
        raise InputError("--dt", expected="a positive time in seconds", got=f"{seconds:g}")
    return seconds


def _way_of_norse(dt: float, taus: Real) -> str:
    """Return which of Norse's two ways of writing makes sense of the time constants."""
    by_dt, by_seconds = makes_sense(dt * dt, taus), makes_sense(dt, taus)
    if by_seconds and not by_dt:
        return "norse-s"
    if by_dt and by_seconds and taus.size:
        raise InputError(
            "--convention norse",
            expected="time constants that make sense in one of the ways in which Norse writes",
            got=f"{taus.min():g} to {taus.max():g}, which do in both",
            remedy="say --convention norse-dt (Norse 1.1.0) or norse-s (before and after it)",
        )
    return "norse-dt"
