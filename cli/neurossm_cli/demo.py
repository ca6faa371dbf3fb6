"""``neurossm demo``: the whole path on real data, from a trained checkpoint to the report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurossm.errors import InputError
from neurossm_cli.console import Console, DataDirOption, JsonOption
from neurossm_cli.paths import READS_RUN, writes_into

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from neurossm.graph import Graph
    from neurossm_models.data import Dataset

CALIBRATION = "mnist:train:512"
FILES = ("model.nssm", "model.int.nssm", "report.html")


@dataclass(frozen=True)
class Parity:
    """How many values of reference, fast and Lava runs were compared, and how many differ."""

    values_compared: int
    mismatches: int
    first: str
    steps_per_second_lava: float | None  # of the network of a bundle
    steps_per_second_lava_best: float | None


def demo(
    checkpoint: Annotated[str, typer.Option(help="Run folder or name of a checkpoint."
                                            ), READS_RUN] = "binary-s4d-smnist",
    samples: Annotated[int, typer.Option(help="MNIST test images for the accuracies.")] = 10_000,
    lava_samples: Annotated[int, typer.Option(help="Images run on Lava; 0 leaves Lava out.")] = 20,
    out: Annotated[Path, typer.Option(help="Folder for files and the report."),
                   writes_into(*FILES)] = Path("out/demo"),
    data_dir: DataDirOption = "",
    json: JsonOption = False,
) -> int:  # fmt: skip
    """Take a trained checkpoint to integers, Lava and an energy report, on real MNIST."""
    import numpy as np

    from neurossm.energy import estimate
    from neurossm.hardware import load_hardware
    from neurossm.metrics import measure, multiplications
    from neurossm.quantization import Quantize
    from neurossm.report import Accuracy, write_html
    from neurossm.store import load, save
    from neurossm_cli.executing import execute
    from neurossm_cli.export import load_run, write_graph
    from neurossm_cli.golden import golden_vectors
    from neurossm_cli.loading import load_data
    from neurossm_cli.profile import print_profile
    from neurossm_cli.profiling import baseline_accuracies, recorded
    from neurossm_cli.quantize import quantized
    from neurossm_cli.reporting import answers_of, make_report
    from neurossm_cli.scoring import labeled

    if lava_samples < 0 or samples < max(1, lava_samples):
        raise InputError("--samples, --lava-samples", expected="samples >= lava samples >= 0",
                         got=f"{samples} and {lava_samples}")  # fmt: skip
    console = Console(json)
    test = load_data(f"mnist:test:{samples}", data_dir)
    out.mkdir(parents=True, exist_ok=True)

    console.note(f"[1/6] PyTorch: {checkpoint} on {samples} MNIST test images")
    float_predictions = torch_predictions(checkpoint, test, console)
    accuracy_float = float((float_predictions == test.labels).mean())

    console.note("[2/6] export and quantize")
    graph = load_run(checkpoint)
    wrote_nir, _ = write_graph(graph, out / "model.nssm", "auto")
    calibration = load_data(CALIBRATION, data_dir)
    integer = quantized(graph, calibration, Quantize(), console)
    save(out / "model.int.nssm", integer, golden_vectors(integer, calibration))
    integer = load(out / "model.int.nssm")  # what runs is what the file holds

    console.note(f"[3/6] the integers on the fast engine, {samples} images")
    predicted: list[NDArray[np.intp]] = []
    fast = execute(
        integer,
        test,
        "fast",
        "outputs",
        console,
        watchers=[lambda at, part, found: predicted.append(found.argmax(axis=1))],
    )
    scores = labeled(fast.scores, "MNIST")
    equal = np.mean(np.concatenate(predicted) == float_predictions)

    console.note(f"[4/6] reference, fast and Lava on {lava_samples} images, every node and step")
    parity = check_parity(integer, test.take(slice(lava_samples)), console)

    console.note("[5/6] counts and energy")
    metrics = measure(integer, fast.trace)
    counted = recorded(integer, test)
    energy = estimate(metrics, integer, load_hardware("loihi2"))

    console.note("[6/6] report")
    integer_accuracy = scores.values["accuracy"]
    accuracy = Accuracy(
        data="MNIST test images", samples=samples, integer=integer_accuracy,
        float_graph=accuracy_float, agreement=float(equal),
    )  # fmt: skip
    energy = energy.with_accuracies(baseline_accuracies(integer, test, None, accuracy, console))
    said = (
        f"reference, fast and Lava on {lava_samples} images: {parity.values_compared:,} values"
        f" compared, {parity.mismatches} mismatches",
        f"fast engine: {fast.steps_per_second:,.0f} time steps a second",
    )
    report_file = out / "report.html"
    write_html(report_file, make_report(
        f"{checkpoint} on sequential MNIST", integer, metrics, energy, accuracy, test,
        answers=answers_of(scores, None, accuracy.data, None),
        file_name="model.int.nssm", recorded=counted, measured=said if lava_samples else said[1:],
    ))  # fmt: skip

    console.document(
        {"checkpoint": checkpoint, "samples": samples, "accuracy_float": accuracy_float,
         "accuracy_int": fast.accuracy, "agreement": accuracy.agreement,
         "lava_samples": lava_samples, "values_compared": parity.values_compared,
         "mismatches": parity.mismatches, "first_mismatch": parity.first or None,
         "steps_per_second_fast": fast.steps_per_second,
         "steps_per_second_lava": parity.steps_per_second_lava,
         "steps_per_second_lava_best": parity.steps_per_second_lava_best,
         "spike_rates": dict(metrics.spike_rates), "saturations": metrics.total.saturations,
         "multiplications": multiplications(integer, metrics).as_json(),
         "recorded": counted.as_json(),
         "nir": wrote_nir, "energy": energy.as_json(), "report": str(report_file)}
    )  # fmt: skip
    print_profile(console, integer, metrics, energy, counted)
    console.say()
    console.say(f"accuracy      float {accuracy_float:.2%}, integer {integer_accuracy:.2%}"
                f" ({samples} images; {accuracy.agreement:.2%} equal predictions,"
                f" {metrics.total.saturations} saturations)")  # fmt: skip
    rates = ", ".join(f"{name} {rate:.1%}" for name, rate in metrics.spike_rates.items())
    console.say(f"spike rates   {rates}")
    console.say(f"fast engine   {fast.steps_per_second:,.0f} steps/s")
    _say_parity(console, parity, lava_samples, fast.steps_per_second)
    console.say(f"report        {report_file}")
    return 1 if parity.mismatches else 0


def torch_predictions(checkpoint: str, data: Dataset, console: Console) -> NDArray[np.int64]:
    """Return the class that the PyTorch model gives each sequence."""
    import numpy as np
    import torch

    from neurossm_models.train import load_model

    model, recipe = load_model(checkpoint)
    if recipe.data.name != data.name:
        raise InputError(f"checkpoint {checkpoint!r}", expected=f"one trained on {data.name}",
                         got=f"one trained on {recipe.data.name}")  # fmt: skip
    predictions = []
    with torch.no_grad(), console.progress("PyTorch", len(data)) as progress:
        for start in range(0, len(data), 100):
            part = data.take(slice(start, start + 100))
            logits = model(torch.tensor(part.inputs).float() * part.scale)
            predictions.append(logits.argmax(1).numpy())
            progress(len(part))
    return np.concatenate(predictions)


def check_parity(graph: Graph, data: Dataset, console: Console) -> Parity:
    """Compare every value of every node: fast and Lava against the reference."""
    if not len(data):
        return Parity(0, 0, "", None, None)
    from neurossm.comparison import compare
    from neurossm.engine import execute, run

    count = len(data)
    with console.progress("Lava, the network of a bundle", 1) as progress:
        bundle = execute(graph, data.inputs[:1], "bundle", "all", progress)
    with console.progress("Lava, one process", count) as progress:
        best = execute(graph, data.inputs, f"lava:stacked={count}", "all", progress)
    reference = run(graph, data.inputs, "reference")
    one = run(graph, data.inputs[:1], "reference")
    pairs = (
        (reference, run(graph, data.inputs, "fast")), (reference, best.trace),
        (one, bundle.trace),
    )  # fmt: skip
    results = [compare(left, right, graph.order) for left, right in pairs]
    firsts = [str(result.first) for result in results if result.first]
    return Parity(
        sum(result.compared for result in results),
        sum(result.mismatches for result in results),
        firsts[0] if firsts else "",
        bundle.trace.real_steps / bundle.seconds,
        best.trace.real_steps / best.seconds,
    )


def _say_parity(console: Console, parity: Parity, samples: int, fast: float) -> None:
    bundle, best = parity.steps_per_second_lava, parity.steps_per_second_lava_best
    if bundle is None or best is None:
        console.say("Lava          left out (--lava-samples 0)")
        return
    console.say(f"Lava          {bundle:,.0f} steps/s in the network of a bundle: a process a node,"
                f" Lava's own Dense between, one image (fast is {fast / bundle:,.0f} times that);"
                f" {best:,.0f} steps/s in one Lava process around our cells, {samples} images side"
                f" by side ({fast / best:,.0f} times)")  # fmt: skip
    console.say(f"parity        {parity.values_compared:,} values of every node and step on"
                f" {samples} images, reference = fast = Lava in one process, and on 1 image ="
                f" Lava's Dense: {parity.mismatches} mismatches"
                + (f"; first: {parity.first}" if parity.first else ""))  # fmt: skip
