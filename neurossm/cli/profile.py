"""``neurossm profile``: operation counts and the energy interval of a run."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurossm.cli.console import Console, DataDirOption, JsonOption

if TYPE_CHECKING:
    from neurossm.energy import Energy, Interval
    from neurossm.graph import Graph
    from neurossm.metrics import Metrics


def profile(
    graph: Annotated[Path, typer.Argument(help="An integer .nssm file.")],
    data: Annotated[str, typer.Option(help="NAME:SPLIT:N, such as mnist:test:256.")],
    hardware: Annotated[str, typer.Option(help="A chip by name, or a TOML file.")] = "loihi2",
    html: Annotated[Path | None, typer.Option(help="Write the report here.")] = None,
    data_dir: DataDirOption = "",
    json: JsonOption = False,
) -> None:
    """Count operations over a run and estimate energy as an interval: modelled, not measured."""
    from neurossm.cli.executing import execute, load_data
    from neurossm.cli.reporting import make_report
    from neurossm.energy import estimate
    from neurossm.hardware import load_hardware
    from neurossm.metrics import measure
    from neurossm.report import Accuracy, write_html
    from neurossm.store import load

    console, chip = Console(json), load_hardware(hardware)
    loaded, samples = load(graph), load_data(data, data_dir)
    result = execute(loaded, samples, "fast", "outputs", console)
    metrics = measure(loaded, result.trace)
    energy = estimate(metrics, loaded, chip)
    if html:
        report = make_report(
            f"{graph.name} on {data}", loaded, metrics, energy,
            Accuracy(data=data, samples=len(samples), integer=result.accuracy),
            samples, file_name=graph.name,
        )  # fmt: skip
        write_html(html, report)
    console.document(
        {"engine": "fast", "samples": len(samples), "accuracy": result.accuracy,
         "counts": counts_document(metrics), "metrics": metrics.as_json(),
         "energy": energy.as_json(), "report": str(html) if html else None}
    )  # fmt: skip
    print_profile(console, loaded, metrics, energy)
    if html:
        console.say(f"report: {html}")


def counts_document(metrics: Metrics) -> dict[str, dict[str, int]]:
    """Return the counters of every node and of all of them, under the profiler's names."""
    return {
        **{name: asdict(counts) for name, counts in metrics.nodes.items()},
        "total": asdict(metrics.total),
    }


def print_profile(console: Console, graph: Graph, metrics: Metrics, energy: Energy) -> None:
    """Print counts and energy as tables."""
    from neurossm.report import counts_table, energy_table
    from neurossm.report.units import si_range

    rows = counts_table(graph, metrics)
    console.table(
        ("node", "syn_ops", "multiplies", "dendrite_updates", "spikes_in", "axon_out",
         "saturations", "spike rate"),
        [(r.name, round(r.syn_ops), round(r.synaptic_multiplies), round(r.dendrite_updates),
          round(r.spikes_in), round(r.axon_out), r.saturations,
          "" if r.spike_rate is None else f"{r.spike_rate:.1%}") for r in rows],
        title=f"Counts, mean of {metrics.samples} samples of {metrics.steps} steps"
        " (saturations: all samples)",
    )  # fmt: skip
    console.say(
        f"Synaptic multiplies where spikes arrive: {metrics.multiplies_from_spikes};"
        f" where graded messages arrive (encoder, readout): {metrics.multiplies_from_graded:,}"
    )
    console.say()

    def shown(interval: Interval | None, missing: str = "unknown") -> str:
        return missing if interval is None else si_range(interval, "J")

    rows_of_energy = []
    for r in energy_table(energy):
        missing = "unknown" if r.grade else ""  # digital rows: arithmetic alone, no such parts
        parts = (shown(part, missing) for part in (r.synaptic, r.neuron, r.routing, r.static))
        rows_of_energy.append((r.name, shown(r.total), *parts, r.grade))
    console.table(
        ("constants", "total", "synaptic", "neuron", "routing", "static", "grade"),
        rows_of_energy,
        title=f"Energy of one inference on {energy.hardware.title}: {energy.label}",
    )
    console.say(f"{energy.hardware.title}: {shown(energy.total)} an inference over all sets,"
                f" {shown(energy.dynamic)} of it dynamic ({energy.label})")  # fmt: skip
