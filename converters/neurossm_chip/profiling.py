"""Power, energy and time through Lava's profiler, where lava-loihi brings one."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from neurossm_chip.refusal import Refusal

ENERGY = ("power", "energy", "static_energy")
TIME = ("execution_time",)


class Probes:
    """Probes of one run: set before it is compiled, read after it has stopped.

    Parameters
    ----------
    cfg
        Run configuration; the profiler exists for exactly ``Loihi2HwCfg``.
    steps
        Steps of the run.
    what
        ``energy`` (with activity and memory) or ``time``: Intel measures them in runs of their own.
    """

    def __init__(self, cfg: Any, steps: int, what: str) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # no profiler; said below
            from lava.utils.profiler import Profiler
        try:
            self._profiler = Profiler.init(cfg)
        except NotImplementedError as error:
            raise Refusal(f"--profile: {error} Run with --target loihi2") from error
        self._names = TIME if what == "time" else ENERGY
        if what == "time":
            self._profiler.execution_time_probe(num_steps=steps)
            return
        self._profiler.energy_probe(num_steps=steps)
        self._profiler.activity_probe()
        self._profiler.memory_probe()

    def read(self) -> dict[str, Any]:
        """Return mean, total and number of what each probe has."""
        return {name: _summary(getattr(self._profiler, name)) for name in self._names}


def _summary(value: Any) -> dict[str, float]:
    numbers = np.atleast_1d(np.asarray(value, np.float64))
    return {"mean": float(numbers.mean()), "total": float(numbers.sum()), "count": numbers.size}
