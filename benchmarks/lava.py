"""What Lava costs: milliseconds a step by layout and samples side by side, and the start.

``python benchmarks/lava.py [GRAPH.nssm] [--data digits:test] [--repeats 3] [--json]``; without a
graph it trains nothing: it quantizes the checkpoint ``binary-s4d-digits``. The layouts take
turns, so that what else the machine does falls on all of them, and each ratio is between runs
side by side. docs/explanation/lava.md holds the numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from neurossm.comparison import compare
from neurossm.engine import execute, run
from neurossm.executors import Run
from neurossm.graph import Graph
from neurossm.store import load as load_graph
from neurossm_models.data import Dataset, load
from neurossm_workflows.export import export
from neurossm_workflows.quantize import quantized
from neurossm_workflows.timing import machine

CHECKPOINT = "models/neurossm_models/checkpoints/binary-s4d-digits"
LAYOUTS = {
    "a process a node, Lava's synapses (bundle)": "bundle",
    "stages, Dense between": "lava:batch=1,fuse=stage,synapses=lava",
    "stages": "lava:batch=1,fuse=stage",
    "one process (default)": "lava:batch=1,fuse=network",
    "one process, LoihiProtocol": "lava:batch=1,fuse=network,protocol=loihi",
}
STACKED_LAYOUTS = {
    "stages": "lava:batch={},fuse=stage",
    "one process (default)": "lava:batch={},fuse=network",
}
STACKS = (8, 32, 64)
PACKAGES = ("neurossm", "numpy", "lava-nc")
GROUPS = 4  # of samples side by side, one after the other


@dataclass(frozen=True)
class Cost:
    """Medians over the repeats; `fewer` is the median of paired ratios to the first layout.

    Start-up is taken out by a run of two steps beside each. CPU time is that of all processes,
    Lava's own too; its ratio says what a busy machine hides.
    """

    layout: str
    batch: int
    processes: int
    ms_a_step: float
    ms_a_step_and_sample: float
    startup_seconds: float
    fewer: float
    cpu_ms_a_step: float
    fewer_cpu: float


def main() -> int:
    options = _options()
    graph = load_graph(options.graph) if options.graph else _quantized(options.data)
    data = load(f"{options.data}:{max(options.groups, GROUPS * max(STACKS))}")
    costs = measured(graph, data, LAYOUTS, 1, options)
    for batch in STACKS:
        layouts = {name: engine.format(batch) for name, engine in STACKED_LAYOUTS.items()}
        costs += measured(graph, data, layouts, batch, options)
    if options.json:
        found = {"machine": machine(PACKAGES), "costs": [asdict(cost) for cost in costs]}
        print(json.dumps(found, indent=2))
    else:
        show(costs)
    return 0


def measured(
    graph: Graph,
    data: Dataset,
    layouts: dict[str, str],
    batch: int,
    options: argparse.Namespace,
) -> list[Cost]:
    """Return the costs of some layouts; every run is compared with the fast engine, bit for bit."""
    count = GROUPS * batch if batch > 1 else options.groups
    inputs = data.inputs[:count, : options.steps or None]
    expected = run(graph, inputs, "fast", "outputs")
    runs: dict[str, list[Run]] = {name: [] for name in layouts}
    clock: dict[str, list[float]] = {name: [] for name in layouts}
    cpu: dict[str, list[float]] = {name: [] for name in layouts}
    for repeat in range(options.repeats):
        for name, engine in layouts.items():
            print(f"{batch} side by side, {name}, {repeat + 1}", file=sys.stderr, flush=True)
            before = _cpu_seconds()
            short = execute(graph, inputs[:batch, :2], engine, "outputs")
            between = _cpu_seconds()
            done = execute(graph, inputs, engine, "outputs")
            more = _cpu_seconds() - between - (between - before)
            steps = done.notes["network steps"] - short.notes["network steps"]
            cpu[name].append(1e3 * more / steps)
            clock[name].append(1e3 * (done.seconds - short.seconds) / steps)
            if compare(expected, done.trace, graph.outputs).first is not None:
                raise SystemExit(f"{name}: other bits than the fast engine")
            runs[name].append(done)
    first = next(iter(layouts))
    return [
        Cost(
            layout=name,
            batch=batch,
            processes=done[0].notes["processes"],
            ms_a_step=median(clock[name]),
            ms_a_step_and_sample=median(clock[name]) / batch,
            startup_seconds=median(one.startup_seconds for one in done),
            fewer=_fewer(clock[first], clock[name]),
            cpu_ms_a_step=median(cpu[name]),
            fewer_cpu=_fewer(cpu[first], cpu[name]),
        )
        for name, done in runs.items()
    ]


def _fewer(first: list[float], these: list[float]) -> float:
    return median(one / this for one, this in zip(first, these, strict=True))


def _cpu_seconds() -> float:
    """Return the CPU time of all ended children; start-up is taken out by a short run."""
    spent = os.times()
    return spent.children_user + spent.children_system


def show(costs: list[Cost]) -> None:
    """Print a table in Markdown."""
    about = machine(PACKAGES)
    print(f"{about['cpu']}, {about['cores']} cores, Python {about['python']},"
          f" numpy {about['packages']['numpy']},"
          f" load average {about['load_average']}\n")  # fmt: skip
    print("| layout | side by side | processes | ms a step | times fewer | CPU ms a step"
          " | times fewer | ms a step and sample | start, s |\n" + "|---" * 9 + "|")  # fmt: skip
    for cost in costs:
        print(f"| {cost.layout} | {cost.batch} | {cost.processes} | {cost.ms_a_step:.2f}"
              f" | {cost.fewer:.1f} | {cost.cpu_ms_a_step:.2f} | {cost.fewer_cpu:.1f}"
              f" | {cost.ms_a_step_and_sample:.3f} | {cost.startup_seconds:.1f} |")  # fmt: skip


def _quantized(data: str) -> Graph:
    checkpoint = Path(__file__).parents[1] / CHECKPOINT
    return quantized(export(checkpoint), f"{data.split(':')[0]}:train:64")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("graph", nargs="?", help="An integer .nssm file.")
    parser.add_argument("--data", default="digits:test", help="NAME:SPLIT")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--groups", type=int, default=8, help="samples in a row at 1 side by side")
    parser.add_argument("--steps", type=int, default=0, help="only the first steps of a sample")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
