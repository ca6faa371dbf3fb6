"""One sequence step by step: the stepper, the old way, PyTorch, and what the machine allows.

``python benchmarks/streaming.py [--json]``; docs/how-to/streaming.md says how to read the numbers.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass

import numpy as np
import torch
from engines import integer_graph
from numba import njit
from numpy.typing import NDArray
from ssm_limit import LANES, STATE_LIMIT, sweep_of

from neurossm import Graph, Stepper
from neurossm.engine import fast, run
from neurossm.errors import NeurossmError
from neurossm.nodes import DiagonalSSM, quantized
from neurossm_models.data import load
from neurossm_models.train import load_model
from neurossm_workflows.forms import hold_discretization
from neurossm_workflows.timing import load_average, machine

Integers = NDArray[np.int64]
COLUMN = 64  # synapses that are added together in the limit's loop


@dataclass(frozen=True)
class Speed:
    """Microseconds of a step of one sequence: the fastest pass, and the median of the passes."""

    name: str
    best: float
    median: float


def main() -> int:
    options = _options()
    torch.set_num_threads(1)
    graph, test = integer_graph(options.checkpoint), load("mnist:test:1")
    inputs = test.inputs[0].astype(np.int64)
    whole = run(graph, inputs[None], "fast")
    equal = np.array_equal(_outputs(graph, inputs), whole.values[graph.outputs[0]][0])
    passes = {
        "stepper, integers": _stepper(graph, list(inputs)),
        "stepper, real numbers": _stepper(graph, list(inputs * test.scale)),
        "node by node (before)": _node_by_node(graph, inputs),
        **_torch_passes(options, torch.from_numpy(inputs * test.scale).float()),
        "limit: arithmetic alone": _limit(graph, whole.counts, len(inputs)),
    }
    speeds = measure(passes, len(inputs), options.repeats)
    if options.json:
        about = {"machine": machine(), "checkpoint": options.checkpoint, "equal": equal}
        print(json.dumps({**about, "speeds": [asdict(speed) for speed in speeds]}, indent=2))
    else:
        show(options.checkpoint, speeds, equal)
    return 0 if equal else 1


def measure(passes: dict[str, Callable[[], object]], steps: int, repeats: int) -> list[Speed]:
    """Time a pass over the sequence in every way, in turns: what else runs disturbs all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in passes}
    for name, one in passes.items():
        print(f"{name}: compiles or warms up", file=sys.stderr, flush=True)
        one()
    for _ in range(repeats):
        for name, one in passes.items():
            started = time.perf_counter()
            one()
            seconds[name].append((time.perf_counter() - started) / steps)
    return [
        Speed(name, 1e6 * min(taken), 1e6 * float(np.median(taken)))
        for name, taken in seconds.items()
    ]


def show(checkpoint: str, speeds: list[Speed], equal: bool) -> None:
    """Print the table for people."""
    about = machine()
    print(f"{about['cpu']}, {about['cores']} cores, {about['system']}, Python {about['python']}")
    print("load average now:", *(load_average() or ("unknown",)), "(includes this run)")
    print(f"\n{checkpoint}, one sequence, one thread; outputs of stepper and run"
          f" {'equal' if equal else 'DIFFER'}")  # fmt: skip
    print(f"{'':28}{'us a step':>10}{'median':>9}{'of the stepper':>17}")
    for speed in speeds:
        ratio = speed.best / speeds[0].best
        print(f"{speed.name:28}{speed.best:10.1f}{speed.median:9.1f}{ratio:16.1f}x")


def _outputs(graph: Graph, inputs: Integers) -> Integers:
    stream = Stepper(graph)
    return np.array([stream.step(token)[0] for token in inputs])


def _stepper(graph: Graph, tokens: Iterable[NDArray[np.generic]]) -> Callable[[], object]:
    stream = Stepper(graph)

    def one() -> None:
        stream.reset()
        for token in tokens:
            stream.step(token)

    return one


def _node_by_node(graph: Graph, inputs: Integers) -> Callable[[], object]:
    """Return what a step was before: the fast engine's operations, called one by one."""
    program, space = fast.Program.of(graph), fast.Workspace.of(graph, 1, 1)
    name = graph.inputs[0]

    def one() -> None:
        states = program.initial_states(1)
        for token in inputs:
            fast.execute(program, {name: token.reshape(1, 1, -1)}, states, space)

    return one


def _torch_passes(
    options: argparse.Namespace, inputs: torch.Tensor
) -> dict[str, Callable[[], object]]:
    """Return PyTorch's step as it is, with poles discretized once, and compiled."""
    passes = {}
    for name, held, compiled in (
        ("PyTorch", False, False),
        ("PyTorch, poles held", True, False),
        ("PyTorch, torch.compile", True, True),
    ):
        if compiled and not options.compile:
            continue
        network, _ = load_model(options.checkpoint)
        network.eval()
        if held:
            hold_discretization(network)
        step = torch.compile(network.step) if compiled else network.step

        @torch.no_grad()
        def one(network: torch.nn.Module = network, step: Callable = step) -> None:
            state = network.initial_state(1)
            for token in inputs:
                _, state = step(token[None], state)

        passes[name] = one
    return passes


def _limit(graph: Graph, counts: dict, steps: int) -> Callable[[], object]:
    """Return a loop with the arithmetic of the recurrences and the additions of the synapses.

    As many complex state updates as the graph has (`ssm_limit`), as many synapses added as messages
    of this sequence met on average; all in the first-level cache, nothing waits for anything.
    """
    recurrences = [node for node in graph.nodes.values() if isinstance(node, DiagonalSSM)]
    updates = sum(node.updates for node in recurrences)
    synapses = sum(count.syn_ops for count in counts.values()) / steps
    sweep = sweep_of(all(not np.any(quantized(node.b_im).values) for node in recurrences))
    rounds, columns = -(-updates // LANES), round(synapses / COLUMN)
    state, parameters = np.zeros(2 * LANES), np.full(8 * LANES, 0.5)
    weight, total = np.ones((16, COLUMN), np.int32), np.zeros(COLUMN, np.int32)

    @njit
    def loop(state, parameters, weight, total, steps, rounds, columns):
        kept = 0.0
        for _ in range(steps):
            kept += sweep(state, parameters, rounds, STATE_LIMIT)
            for c in range(columns):
                for o in range(COLUMN):
                    total[o] += weight[c % 16, o]
        return kept

    return lambda: loop(state, parameters, weight, total, steps, rounds, columns)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A step of one sequence, side by side.")
    parser.add_argument("--checkpoint", default="spikingssm-smnist", help="name or run folder")
    parser.add_argument("--repeats", type=int, default=7, help="passes over the sequence of each")
    parser.add_argument("--no-compile", dest="compile", action="store_false",
                        help="without torch.compile (it needs a C++ compiler)")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    options = parser.parse_args()
    if options.repeats < 1:
        parser.error("--repeats is at least 1")
    return options


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NeurossmError as error:
        sys.exit(f"benchmarks/streaming.py: {error}")
