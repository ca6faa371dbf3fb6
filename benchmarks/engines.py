"""Speed of the engines on one machine in one run: fast, Lava as it comes, Lava at its best.

``python benchmarks/engines.py [--json]``; README.md beside it says how to read the numbers.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict, dataclass

import numpy as np
from ssm_limit import Share, measure_share

from neurossm.engine import execute, run
from neurossm.engine.fast import SAMPLES_A_TASK
from neurossm.errors import NeurossmError
from neurossm.executors import Run
from neurossm.graph import Graph
from neurossm.nodes import DiagonalSSM
from neurossm.trace import Trace
from neurossm_models.data import Dataset, load
from neurossm_workflows.evaluate import warm_up
from neurossm_workflows.export import export
from neurossm_workflows.quantize import quantized
from neurossm_workflows.timing import load_average, machine

PACKAGES = ("neurossm", "numpy", "numba", "lava-nc")


@dataclass(frozen=True)
class Speed:
    """Time steps of samples per second; of Lava without its start-up, which is given beside."""

    mode: str
    samples: int
    steps_per_second: float
    startup_seconds: float = 0.0


def main() -> int:
    options = _options()
    graph, test = integer_graph(options.checkpoint), load(f"mnist:test:{options.samples}")
    _note(f"fast engine, {len(test)} samples, {options.repeats} times")
    fast, outputs = fast_speed(graph, test, options.repeats)
    _note("Lava, the network of a bundle, 1 sample")  # a process a node, Lava's own synapses
    bundle = execute(graph, test.inputs[:1], "bundle", "outputs")
    count = min(options.lava_samples, len(test))
    _note(f"Lava, one process, {count} samples in it")
    best = execute(graph, test.inputs[:count], f"lava:batch={count}", "outputs")
    _note("the SSM kernel and the machine's limit")
    first = next(n for n in graph.order if isinstance(graph.nodes[n], DiagonalSSM))
    source = graph.sources[first][0]
    arriving = run(graph, test.inputs[:SAMPLES_A_TASK], "fast", (source,)).values[source]
    shares = measure_share(graph, arriving.astype(np.int32), 5 * options.repeats)
    equal = all(_equal(graph, outputs, lava.trace) for lava in (bundle, best))
    speeds = (fast, _speed("Lava, bundle", bundle), _speed("Lava, one process", best))
    if options.json:
        print(json.dumps(document(options.checkpoint, speeds, shares, equal), indent=2))
    else:
        show(options.checkpoint, speeds, shares, equal)
    return 0 if equal else 1


def integer_graph(checkpoint: str) -> Graph:
    """Return the graph of a checkpoint, quantized after training as ``neurossm demo`` does."""
    return quantized(export(checkpoint), "mnist:train:512")


def fast_speed(graph: Graph, data: Dataset, repeats: int) -> tuple[Speed, Trace]:
    """Return the best of several runs over all samples, on all cores, and its outputs."""
    warm_up(graph, data)
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        trace = run(graph, data.inputs, "fast", "outputs")
        seconds.append(time.perf_counter() - started)
    steps = trace.samples * trace.steps
    return Speed("fast, all cores", trace.samples, steps / min(seconds)), trace


def document(
    checkpoint: str, speeds: tuple[Speed, ...], shares: tuple[Share, ...], equal: bool
) -> dict[str, object]:
    """Return everything that was measured."""
    fast, bundle, best = (speed.steps_per_second for speed in speeds)
    return {
        "machine": machine(PACKAGES),
        "checkpoint": checkpoint,
        "speeds": [asdict(speed) for speed in speeds],
        "fast_over_lava_bundle": fast / bundle,
        "fast_over_lava_best": fast / best,
        "outputs_equal": equal,
        "ssm_kernel": [{**asdict(share), "share": share.share} for share in shares],
    }


def show(
    checkpoint: str, speeds: tuple[Speed, ...], shares: tuple[Share, ...], equal: bool
) -> None:
    """Print the same for people."""
    about = machine(PACKAGES)
    print(f"{about['cpu']}, {about['cores']} cores, {about['system']}, Python {about['python']}")
    print("load average now:", *(load_average() or ("unknown",)), "(includes this run)")
    print(f"\n{checkpoint}, integers; outputs of all modes {'equal' if equal else 'DIFFER'}")
    for speed in speeds:
        beside = f"  (start-up {speed.startup_seconds:.1f} s)" if speed.startup_seconds else ""
        rate = f"{speed.steps_per_second:14,.0f} steps/s"
        print(f"{speed.mode:20}{speed.samples:7,} samples{rate}{beside}")
    for name, speed in (("the network of a bundle", speeds[1]), ("one process", speeds[2])):
        ratio = speeds[0].steps_per_second / speed.steps_per_second
        print(f"fast is {ratio:,.1f} times Lava, {name}")
    print("\nSSM kernel, complex state updates a second, against the same arithmetic without waits")
    for share in shares:
        print(f"{share.workers} core{'s' if share.workers > 1 else ' '}  kernel {share.kernel:.3g}"
              f"  limit {share.limit:.3g}  share {share.share:.0%}")  # fmt: skip


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Speed of the engines, side by side, in one run.")
    parser.add_argument("--checkpoint", default="binary-s4d-smnist", help="name or run folder")
    parser.add_argument("--samples", type=int, default=10_000, help="MNIST test images for fast")
    parser.add_argument(
        "--lava-samples", type=int, default=256, help="side by side in one Lava process"
    )
    parser.add_argument("--repeats", type=int, default=3, help="runs of fast; the best counts")
    parser.add_argument("--json", action="store_true", help="one JSON document on stdout")
    options = parser.parse_args()
    if min(options.samples, options.lava_samples, options.repeats) < 1:
        parser.error("--samples, --lava-samples and --repeats are at least 1")
    return options


def _speed(mode: str, lava: Run) -> Speed:
    return Speed(
        mode, lava.trace.samples, lava.trace.real_steps / lava.seconds, lava.startup_seconds
    )


def _equal(graph: Graph, fast: Trace, lava: Trace) -> bool:
    """Compare the outputs of the samples that both ran, so that speeds are those of equal work."""
    return all(
        np.array_equal(fast.values[name][: lava.samples], lava.values[name])
        for name in graph.outputs
    )


def _note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NeurossmError as error:
        sys.exit(f"benchmarks/engines.py: {error}")
