"""What Lava costs: milliseconds a step by layout and samples side by side, and the start.

``python benchmarks/lava.py [GRAPH.nssm] [--data digits:test] [--repeats 3] [--json]``; without a
graph it trains nothing: it quantizes ``models/checkpoints/binary-s4d-digits``. The layouts take
turns, so that what else the machine does falls on all of them, and each ratio is between runs
side by side. docs/lava.md holds the numbers.
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
from neurossm.engine import run
from neurossm.graph import Graph
from neurossm.store import load as load_graph
from neurossm_converters.backends.lava import LavaOptions, LavaRun, run_timed
from neurossm_models.data import Dataset, load
from neurossm_workflows.export import export
from neurossm_workflows.quantize import quantized
from neurossm_workflows.timing import machine

CHECKPOINT = "models/checkpoints/binary-s4d-digits"
LAYOUTS = {
    "a process a node, Dense": {"fuse": "none", "synapses": "lava"},
    "stages, Dense between": {"fuse": "stage", "synapses": "lava"},
    "stages": {"fuse": "stage"},
    "one process (default)": {"fuse": "network"},
    "a process a node, LoihiProtocol": {"fuse": "none", "protocol": "loihi"},
}
STACKED_LAYOUTS = {
    "a process a node": {"fuse": "none"},
    "stages": {"fuse": "stage"},
    "one process (default)": {"fuse": "network"},
}
STACKS = (8, 32, 64)
PACKAGES = ("neurossm", "numpy", "lava-nc")
GROUPS = 4  # of samples side by side, one after the other


@dataclass(frozen=True)
class Cost:
    """Medians over the repeats; `fewer` is the median of paired ratios to a process a node.

    CPU time is that of all processes, Lava's own too; its ratio says what a busy machine hides.
    """

    layout: str
    stacked: int
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
    for stacked in STACKS:
        costs += measured(graph, data, STACKED_LAYOUTS, stacked, options)
    if options.json:
        found = {"machine": machine(PACKAGES), "costs": [asdict(cost) for cost in costs]}
        print(json.dumps(found, indent=2))
    else:
        show(costs)
    return 0


def measured(
    graph: Graph,
    data: Dataset,
    layouts: dict[str, dict[str, str]],
    stacked: int,
    options: argparse.Namespace,
) -> list[Cost]:
    """Return the costs of some layouts; every run is compared with the fast engine, bit for bit."""
    count = GROUPS * stacked if stacked > 1 else options.groups
    inputs = data.inputs[:count, : options.steps or None]
    expected = run(graph, inputs, "fast", "outputs")
    runs: dict[str, list[LavaRun]] = {name: [] for name in layouts}
    cpu: dict[str, list[float]] = {name: [] for name in layouts}
    for repeat in range(options.repeats):
        for name, how in layouts.items():
            print(f"{stacked} side by side, {name}, {repeat + 1}", file=sys.stderr, flush=True)
            chosen = LavaOptions(stacked=stacked, **how)  # type: ignore[arg-type]
            before = _cpu_seconds()
            short = run_timed(graph, inputs[:stacked, :2], "outputs", chosen)
            between = _cpu_seconds()
            done = run_timed(graph, inputs, "outputs", chosen)
            more = _cpu_seconds() - between - (between - before)
            cpu[name].append(1e3 * more / (done.network_steps - short.network_steps))
            if compare(expected, done.trace, graph.outputs).first is not None:
                raise SystemExit(f"{name}: other bits than the fast engine")
            runs[name].append(done)
    alone = [_ms(done) for done in next(iter(runs.values()))]
    cpu_alone = next(iter(cpu.values()))
    return [_cost(name, stacked, done, alone, cpu[name], cpu_alone) for name, done in runs.items()]


def _cost(
    name: str,
    stacked: int,
    runs: list[LavaRun],
    alone: list[float],
    cpu: list[float],
    cpu_alone: list[float],
) -> Cost:
    steps = [_ms(done) for done in runs]
    samples = runs[0].trace.samples * runs[0].trace.steps / runs[0].network_steps
    return Cost(
        layout=name,
        stacked=stacked,
        processes=runs[0].processes,
        ms_a_step=median(steps),
        ms_a_step_and_sample=median(steps) / samples,
        startup_seconds=median(done.startup_seconds for done in runs),
        fewer=median(one / this for one, this in zip(alone, steps, strict=True)),
        cpu_ms_a_step=median(cpu),
        fewer_cpu=median(one / this for one, this in zip(cpu_alone, cpu, strict=True)),
    )


def _cpu_seconds() -> float:
    """Return the CPU time of all ended children; start-up is taken out by a short run."""
    spent = os.times()
    return spent.children_user + spent.children_system


def _ms(done: LavaRun) -> float:
    return 1e3 * done.stepping_seconds / done.network_steps


def show(costs: list[Cost]) -> None:
    """Print a table in Markdown."""
    about = machine(PACKAGES)
    print(f"{about['cpu']}, {about['cores']} cores, Python {about['python']},"
          f" numpy {about['packages']['numpy']},"
          f" load average {about['load_average']}\n")  # fmt: skip
    print("| layout | side by side | processes | ms a step | times fewer | CPU ms a step"
          " | times fewer | ms a step and sample | start, s |\n" + "|---" * 9 + "|")  # fmt: skip
    for cost in costs:
        print(f"| {cost.layout} | {cost.stacked} | {cost.processes} | {cost.ms_a_step:.2f}"
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
