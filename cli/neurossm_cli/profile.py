"""``neurossm profile``: operation counts and the energy interval of a run."""

from __future__ import annotations

from dataclasses import asdict
from json import dumps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurossm.errors import InputError
from neurossm_cli.console import DATA, Console, DataDirOption, JsonOption, OtherDataOption
from neurossm_cli.paths import READS, READS_CHIP, READS_DATA, READS_RUN, WRITES

if TYPE_CHECKING:
    from neurossm.energy import Energy, Interval
    from neurossm.graph import Graph
    from neurossm.metrics import Metrics, Recorded
    from neurossm_cli.beside import FloatBeside
    from neurossm_cli.executing import Watcher
    from neurossm_models.tasks import Scores


def profile(
    graph: Annotated[Path, typer.Argument(help="An integer .nssm file."), READS],
    data: Annotated[str, DATA, READS_DATA],
    hardware: Annotated[
        str, typer.Option(help="A chip by name, or a TOML file."), READS_CHIP
    ] = "loihi2",
    ssm_mapping: Annotated[
        str | None, typer.Option(help="Place it by one mapping: channel | state (default: both).")
    ] = None,
    chips: Annotated[int | None, typer.Option(help="Number of available chips.")] = None,
    steps_per_second: Annotated[
        float | None, typer.Option(help="Real time: steps a second (default: the graph's own).")
    ] = None,
    neurobench: Annotated[
        Path | None,
        typer.Option(help="Write NeuroBench's algorithm metrics to this JSON file."),
        WRITES,
    ] = None,
    measure_cpu: Annotated[
        bool, typer.Option("--measure-cpu", help="Time the float network and the fast engine here.")
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(help="Checkpoint or run folder of the float network to time."),
        READS_RUN,
    ] = None,
    baseline_samples: Annotated[
        int | None,
        typer.Option(help="Sequences on which to simulate narrow recurrences (default: seconds)."),
    ] = None,
    html: Annotated[Path | None, typer.Option(help="Write the report here."), WRITES] = None,
    float_: Annotated[
        Path | None,
        typer.Option("--float", help="The float .nssm file, to compare accuracy."),
        READS,
    ] = None,
    data_dir: DataDirOption = "",
    other_data: OtherDataOption = False,
    json: JsonOption = False,
) -> None:
    """Count operations over a run and estimate energy as an interval: modelled, not measured."""
    from neurossm.hardware import load_hardware
    from neurossm.metrics import measure, multiplications
    from neurossm.placement import place_each
    from neurossm.report import Accuracy, write_html
    from neurossm.store import load
    from neurossm_cli import profiling
    from neurossm_cli.beside import FloatBeside, Points
    from neurossm_cli.executing import execute
    from neurossm_cli.loading import load_data
    from neurossm_cli.measuring import measure_cpu as time_here
    from neurossm_cli.reporting import answers_of, make_report, timings_of
    from neurossm_cli.scoring import accuracy_of, scores_document

    if model is not None and not measure_cpu:
        raise InputError("--model", expected="--measure-cpu beside it", got="it alone")
    console, chip = Console(json, other_data), load_hardware(hardware)
    loaded = load(graph)
    samples = load_data(data, data_dir, loaded)
    if float_ and not samples.labeled:
        raise InputError("--float", expected="data with labels", got=f"{data}, which has none",
                         remedy=f"neurossm diff {float_} {graph} --data {data}")  # fmt: skip
    placements = place_each(loaded, chip, chips, ssm_mapping)
    one = placements.fit[0] if placements.fit and ssm_mapping else None
    points = Points(loaded)
    beside = FloatBeside(float_, samples, console) if float_ else None
    watchers: list[Watcher] = [points, *([beside] if beside is not None else [])]
    result = execute(loaded, samples, "fast", "outputs", console, watchers=watchers)
    floats, scores = beside.scores if beside is not None else None, result.scores
    accuracy = None
    if scores is not None and result.accuracy is not None:
        accuracy = Accuracy(
            data=data, samples=scores.count, integer=result.accuracy,
            float_graph=accuracy_of(floats),
            agreement=beside.agreement if beside is not None else None,
        )  # fmt: skip
    metrics = measure(loaded, result.trace)
    recorded = profiling.recorded(loaded, samples)
    energy, problem = profiling.estimated(metrics, loaded, chip, placements)
    case = profiling.real_time(energy, loaded, steps_per_second)
    if energy is not None and accuracy and samples.kind == "classification":
        measured = profiling.baseline_accuracies(
            loaded, samples, baseline_samples, accuracy, console
        )
        energy = energy.with_accuracies(measured)
    cores = profiling.per_core_document(loaded, samples, chip, one)
    rates = profiling.sensitivity(metrics, loaded, chip, placements) if energy else ()
    timings = time_here(loaded, samples, model, console) if measure_cpu else None
    if neurobench:
        write_neurobench(neurobench, metrics, result.accuracy)
    if html:
        report = make_report(
            f"{loaded.meta.get('run', graph.name)} on {data}", loaded, metrics, energy, accuracy,
            samples, answers=answers_of(scores, floats, data, points.points),
            file_name=graph.name, recorded=recorded, placement_problem=placements.why_not,
            rates=rates, steps_per_second=steps_per_second,
            timings=timings_of(timings) if timings else None,
        )  # fmt: skip
        write_html(html, report)
    console.document(
        {"engine": "fast", "samples": len(samples), "accuracy": result.accuracy,
         "accuracy_float": accuracy.float_graph if accuracy else None,
         "agreement": beside.agreement if beside is not None else None,
         "scores": scores_document(scores), "scores_float": scores_document(floats),
         "clipped_inputs": result.clipped,
         "counts": counts_document(metrics), "metrics": metrics.as_json(),
         "multiplications": multiplications(loaded, metrics).as_json(),
         "recorded": recorded.as_json(),
         "energy": energy.as_json() if energy else None,
         "energy_problem": None if energy else problem,
         "real_time": case.as_json() if case else None,
         "sensitivity": profiling.sensitivity_document(rates),
         "placement": profiling.placement_document(one), "per_core": cores, "cpu": timings,
         "neurobench": str(neurobench) if neurobench else None,
         "report": str(html) if html else None}
    )  # fmt: skip
    _say_scores(console, scores, beside)
    print_profile(console, loaded, metrics, energy, recorded)
    profiling.print_placement(console, energy, problem, cores)
    console.say()
    profiling.print_speeds(console, energy, case)
    profiling.print_sensitivity(console, rates)
    if timings:
        profiling.print_timings(console, timings)
    for name, file in (("NeuroBench metrics", neurobench), ("report", html)):
        if file:
            console.say(f"{name}: {file}")


def _say_scores(console: Console, scores: Scores | None, beside: FloatBeside | None) -> None:
    if scores is None:
        return
    floats = beside.scores if beside is not None else None
    console.say(f"integer: {scores.text()}" + (f"; float: {floats.text()}" if floats else ""))
    if beside is not None and beside.agreement is not None:
        console.say(f"equal predictions: {beside.agreement:.2%}")


def write_neurobench(file: Path, metrics: Metrics, accuracy: float | None) -> None:
    """Write NeuroBench's numbers under its keys, with what they are of."""
    from neurossm.metrics.neurobench import VERSION
    from neurossm.store import write_text

    document = {
        "ClassificationAccuracy": accuracy,  # null: no labels
        **metrics.neurobench_document(),
        "samples": metrics.samples,
        "steps": metrics.steps,
        "definitions": f"neurobench {VERSION}, algorithm track; Recurrence is ours",
    }
    write_text(file, dumps(document, indent=2, allow_nan=False) + "\n", "--neurobench")


def counts_document(metrics: Metrics) -> dict[str, dict[str, int]]:
    """Return the counters of every node and of all of them, under the profiler's names."""
    return {
        **{name: asdict(counts) for name, counts in metrics.nodes.items()},
        "total": asdict(metrics.total),
    }


def print_profile(
    console: Console,
    graph: Graph,
    metrics: Metrics,
    energy: Energy | None,
    recorded: Recorded | None = None,
) -> None:
    """Print counts and energy as tables."""
    from neurossm.metrics import multiplications
    from neurossm.report import (
        counts_table,
        energy_table,
        multiplication_rows,
        multiplication_sentences,
    )
    from neurossm.report.units import si_range

    rows = counts_table(graph, metrics)
    console.table(
        ("node", "syn_ops", "multiplies", "dendrite_updates", "spikes_in", "axon_out",
         "saturations", "spike rate"),
        [(r.name, round(r.syn_ops), round(r.synaptic_multiplies), round(r.dendrite_updates),
          round(r.spikes_in), round(r.axon_out), r.saturations,
          "" if r.spike_rate is None else f"{r.spike_rate:.1%}") for r in rows],
        title=f"Counts, mean of {metrics.samples} samples of {round(metrics.steps, 2):,.10g} steps"
        " (saturations: all samples)",
    )  # fmt: skip
    found = multiplications(graph, metrics)
    console.table(("multiplications in", "an inference", "where"), multiplication_rows(found))
    for sentence in multiplication_sentences(graph, found, recorded):
        console.say(sentence)
    console.say()
    if energy is None:
        return

    def shown(interval: Interval | None, missing: str = "unknown") -> str:
        return missing if interval is None else si_range(interval, "J")

    rows_of_energy = []
    for r in energy_table(energy):
        missing = "unknown" if r.grade else ""  # digital rows: arithmetic alone, no such parts
        parts = (shown(part, missing) for part in (r.synaptic, r.neuron, r.routing, r.static))
        rows_of_energy.append((r.name, shown(r.total), *parts, r.grade, r.accuracy))
    console.table(
        ("constants", "total", "synaptic", "neuron", "routing", "static", "grade", "accuracy"),
        rows_of_energy,
        title=f"Energy of one inference on {energy.hardware.title}: {energy.label}",
    )
    for sentence in energy.statements():
        console.say(sentence)
    console.say(f"{energy.hardware.title}: {shown(energy.total)} an inference over all sets,"
                f" {shown(energy.dynamic)} of it dynamic ({energy.label})")  # fmt: skip
