"""How close the SSM kernel comes to what one core of this machine can do with its arithmetic.

The limit is measured, not looked up: a compiled loop with the instruction mix of one complex state
update (multiply, round toward zero, add; saturate; count), over arrays that stay in the first-level
cache. What it does not have is what a recurrence makes a core wait for: a lane comes round again
only after all the others, there is no short inner loop, and nothing is converted or stored besides.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from neurossm.engine.cores import usable_cores
from neurossm.engine.edges import Edges
from neurossm.engine.fast import SAMPLES_A_TASK, prepare
from neurossm.graph import Graph
from neurossm.nodes import DiagonalSSM, quantized

LANES = 256  # 2 x 256 states and 8 x 256 parameters of 8 bytes: 20 KiB
ROUNDS = 4000
STATE_LIMIT = 2.0**23 - 1


@dataclass(frozen=True)
class Share:
    """Complex state updates a second of the kernel and of the limit, measured side by side."""

    workers: int
    kernel: float
    limit: float

    @property
    def share(self) -> float:
        """Part of the limit that the kernel reaches."""
        return self.kernel / self.limit


@cache
def sweep_of(real_b):
    """Return the loop; with ``real_b``, as of the kernel, one product less."""

    @njit(nogil=True, fastmath={"reassoc"})
    def sweep(state, p, rounds, state_limit):
        out, hits = 0.0, 0.0
        for r in range(rounds):
            u = float(r % 255)
            for k in range(LANES):
                re, im = state[k], state[LANES + k]
                new_re = np.trunc(p[k] * re) - np.trunc(p[LANES + k] * im)
                new_re += np.trunc(p[2 * LANES + k] * u) + p[3 * LANES + k]
                new_im = np.trunc(p[k] * im) + np.trunc(p[LANES + k] * re) + p[4 * LANES + k]
                if not real_b:
                    new_im += np.trunc(p[7 * LANES + k] * u)
                hits += 1.0 if abs(new_re) > state_limit else 0.0
                hits += 1.0 if abs(new_im) > state_limit else 0.0
                new_re = min(max(new_re, -state_limit), state_limit)
                new_im = min(max(new_im, -state_limit), state_limit)
                state[k], state[LANES + k] = new_re, new_im
                out += np.trunc(p[5 * LANES + k] * new_re)
                out -= np.trunc(p[6 * LANES + k] * new_im)
        return out + hits

    return sweep


def measure_share(graph: Graph, messages: NDArray[np.int32], repeats: int) -> tuple[Share, ...]:
    """Return kernel and limit on one core and on all cores, the best of `repeats` alternations.

    Parameters
    ----------
    graph
        Integer graph with a `DiagonalSSM`; its first one is measured.
    messages
        What arrives there, ``(S, T, C)``; as many samples as a task of the fast engine.
    """
    name = next(n for n in graph.order if isinstance(graph.nodes[n], DiagonalSSM))
    kernel_updates, kernel = _kernel(graph, name, messages[:SAMPLES_A_TASK])
    limit_updates, limit = _limit(graph, name)
    kernel()
    limit()  # both are compiled now
    shares = []
    for workers in sorted({1, usable_cores()}):
        best = {kernel: 0.0, limit: 0.0}
        for _ in range(repeats):
            for work, updates in ((kernel, kernel_updates), (limit, limit_updates)):
                best[work] = max(best[work], _rate(work, updates, workers))
        shares.append(Share(workers, best[kernel], best[limit]))
    return tuple(shares)


def _kernel(
    graph: Graph, name: str, messages: NDArray[np.int32]
) -> tuple[float, Callable[[], None]]:
    node = graph.nodes[name]
    assert isinstance(node, DiagonalSSM)
    operation = prepare(node, Edges.of(graph, name))
    samples, steps, channels = messages.shape

    def work() -> None:
        y = np.empty((samples, steps, channels), np.int32)
        operation([messages], y, node.initial_state(samples), np.zeros(3, np.int64))

    return float(samples * steps * channels * node.modes), work


def _limit(graph: Graph, name: str) -> tuple[float, Callable[[], None]]:
    node = graph.nodes[name]
    assert isinstance(node, DiagonalSSM)
    sweep = sweep_of(not np.any(quantized(node.b_im).values))
    rng = np.random.default_rng(0)
    p = rng.uniform(-0.7, 0.7, 8 * LANES)  # poles inside the unit circle: states stay finite
    p[3 * LANES : 5 * LANES] = np.rint(100 * p[3 * LANES : 5 * LANES])

    def work() -> None:
        sweep(np.zeros(2 * LANES), p, ROUNDS, STATE_LIMIT)

    return float(LANES * ROUNDS), work


def _rate(work: Callable[[], None], updates: float, workers: int) -> float:
    def timed(_: int) -> float:
        # the thread's own CPU time: what else runs on the machine does not count
        started = time.thread_time()
        work()
        return updates / (time.thread_time() - started)

    with ThreadPoolExecutor(workers) as pool:
        return sum(pool.map(timed, range(workers)))
