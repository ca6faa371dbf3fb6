"""One inference at a given speed: static power against run time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from neurossm.energy.interval import Interval, hull, known_hull


@dataclass(frozen=True)
class RealTime:
    """One inference at a fixed rate of steps: joules and mean watts."""

    steps_per_second: float
    seconds: float
    static: Interval | None
    total: Interval

    @property
    def power_w(self) -> Interval:
        """Mean power."""
        return self.total * (1 / self.seconds)

    def as_json(self) -> dict[str, object]:
        """Return plain values; static energy that is not known is null, and in no total."""
        return {
            "steps_per_second": self.steps_per_second,
            "seconds": self.seconds,
            "static_j": self.static.as_json() if self.static is not None else None,
            "total_j": self.total.as_json(),
            "mean_power_w": self.power_w.as_json(),
        }


def real_time_hull(cases: Sequence[RealTime]) -> RealTime:
    """Return the case that holds each of `cases`, which are of one rate."""
    return replace(
        cases[0],
        static=known_hull(case.static for case in cases),
        total=hull(case.total for case in cases),
    )
