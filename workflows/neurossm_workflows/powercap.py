"""Measured energy of this machine's processor: RAPL counters, where Linux makes them readable.

A measurement, and not one of a neuromorphic chip. Boundary: what each domain
holds (a package; its cores; DRAM), idle power of the machine included.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path("/sys/class/powercap")


@dataclass(frozen=True)
class Domain:
    """One counter: its files and how far it counts before it starts again, in joules."""

    name: str
    counter: Path
    wraps_at: float

    def joules(self) -> float:
        """Return what the counter shows."""
        return int(self.counter.read_text(encoding="ascii")) * 1e-6


@dataclass(frozen=True)
class Powercap:
    """The counters that can be read.

    Attributes
    ----------
    domains
        None of them where there is nothing to read.
    reason
        Why there are none; empty where there are some.
    """

    domains: tuple[Domain, ...]
    reason: str = ""

    @classmethod
    def find(cls, root: Path = ROOT) -> Powercap:
        """Return the counters below a folder of sysfs; never raises."""
        if not root.is_dir():
            return cls((), f"not available: no {root}")
        found, refused = [], ""
        for folder in sorted(root.glob("intel-rapl:*")):  # AMD's counters have that name too
            try:
                domain = _domain(folder)
                domain.joules()
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else "no number"
                refused = f"not available: {folder.name}: {reason}"
                continue
            found.append(domain)
        if found:
            return cls(tuple(found))
        return cls((), refused or f"not available: no RAPL counter in {root}")

    def read(self) -> dict[str, float]:
        """Return joules by domain."""
        return {domain.name: domain.joules() for domain in self.domains}

    def since(self, before: Mapping[str, float]) -> dict[str, float]:
        """Return the joules of each domain since an earlier `read`; one wrap is noticed."""
        now = self.read()
        return {
            d.name: (now[d.name] - before[d.name]) % d.wraps_at
            if now[d.name] < before[d.name]
            else now[d.name] - before[d.name]
            for d in self.domains
        }

    def idle_watts(self, seconds: float) -> dict[str, float]:
        """Return the power of each domain while this process sleeps."""
        before, started = self.read(), time.perf_counter()
        time.sleep(seconds)
        spent = self.since(before)
        elapsed = time.perf_counter() - started
        return {name: joules / elapsed for name, joules in spent.items()}


def _domain(folder: Path) -> Domain:
    kind = (folder / "name").read_text(encoding="ascii").strip()
    largest = int((folder / "max_energy_range_uj").read_text(encoding="ascii"))
    # two packages have domains of the same kind
    name = f"{kind} ({folder.name.partition(':')[2]})"
    return Domain(name, folder / "energy_uj", largest * 1e-6)
