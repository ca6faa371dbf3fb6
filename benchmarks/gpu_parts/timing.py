"""Time and memory of what runs on a device."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Cost:
    """Of one call.

    Attributes
    ----------
    ms
        Median of the calls, milliseconds; None: it did not run.
    megabytes
        Peak memory beyond what was there before; None on a CPU.
    problem
        Why it did not run.
    """

    ms: float | None
    megabytes: float | None = None
    problem: str = ""


def cost(run: Callable[[], object], device: str, seconds: float = 1.0) -> Cost:
    """Return what a call costs: compiled before, then repeated for about so many seconds."""
    try:
        return _on_cuda(run, seconds) if device == "cuda" else _here(run)
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        return Cost(None, problem="out of memory")


def _on_cuda(run: Callable[[], object], seconds: float) -> Cost:
    run()  # compiles, and chooses its algorithms
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    before, begun, times = torch.cuda.memory_allocated(), time.monotonic(), []
    while len(times) < 3 or (time.monotonic() - begun < seconds and len(times) < 50):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        run()
        end.record()
        end.synchronize()
        times.append(start.elapsed_time(end))
        if sum(times) > 4000 * seconds:  # one slow call says enough
            break
    peak = torch.cuda.max_memory_allocated() - before
    return Cost(statistics.median(times), peak / 1e6)


def _here(run: Callable[[], object]) -> Cost:
    begun = time.perf_counter()
    run()
    return Cost(1e3 * (time.perf_counter() - begun))
