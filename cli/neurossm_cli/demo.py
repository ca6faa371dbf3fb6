"""``neurossm demo``: the whole path on real data, from a trained checkpoint to the report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurossm.errors import InputError
from neurossm_cli.presentation.console import Console, DataDirOption, JsonOption
from neurossm_cli.presentation.energy import print_profile
from neurossm_cli.presentation.paths import READS_RUN, writes_into
from neurossm_cli.presentation.stages import Stages

if TYPE_CHECKING:
    from neurossm_workflows.parity import Parity

FILES = ("model.nssm", "model.int.nssm", "report.html")
COMPARED = 20  # samples on every engine, also where Lava is left out


def demo(
    checkpoint: Annotated[str, typer.Option(help="Run folder or name of a checkpoint (default:"
                                            " binary-s4d-smnist)."), READS_RUN] = "",
    samples: Annotated[int, typer.Option(help="Test images for the accuracies.")] = 10_000,
    lava_samples: Annotated[int, typer.Option(help="Images run on Lava; 0 leaves Lava out."
                                              )] = COMPARED,
    out: Annotated[Path, typer.Option(help="Folder for files and the report."),
                   writes_into(*FILES)] = Path("out/demo"),
    data_dir: DataDirOption = "",
    json: JsonOption = False,
) -> int:  # fmt: skip
    """Take a trained checkpoint to integers, Lava and an energy report, on real MNIST.

    Fetches MNIST where it is missing, and installs lava-nc where the extra lava asked for it.
    """
    from neurossm.metrics import multiplications
    from neurossm_workflows.demonstration import CALIBRATING, lava_ready, subject
    from neurossm_workflows.export import export, write_graph
    from neurossm_workflows.loading import load_data
    from neurossm_workflows.parity import check_parity, torch_beside
    from neurossm_workflows.profile import profile
    from neurossm_workflows.quantize import quantize
    from neurossm_workflows.scoring import labeled

    if lava_samples < 0 or samples < max(1, lava_samples):
        raise InputError("--samples, --lava-samples", expected="samples >= lava samples >= 0",
                         got=f"{samples} and {lava_samples}")  # fmt: skip
    console = Console(json)
    stages = Stages(console.note, 4)
    shown = subject(checkpoint, data_dir, console.listener)
    lava = bool(lava_samples) and lava_ready(console.listener)
    test = load_data(f"{shown.data}:test", data_dir).take(slice(samples))
    samples, compared = len(test), min(lava_samples or COMPARED, len(test))
    out.mkdir(parents=True, exist_ok=True)
    floating, integers, page = (out / name for name in FILES)

    with stages("quantize", "export and quantize"):
        graph = export(shown.checkpoint)
        beside = torch_beside(shown.checkpoint, graph, test)
        wrote = write_graph(graph, floating)
        calibration = load_data(f"{shown.data}:train:{CALIBRATING}", data_dir)
        quantize(graph, calibration, listener=console.listener).save(integers)

    with stages("profile", f"the integers and PyTorch on {samples} test images, counts, energy"):
        # what runs is what the file holds
        found = profile(integers, test, floating=beside, listener=console.listener)
    fast, metrics = found.execution, found.metrics
    accuracy = labeled(found.scores, shown.data).values["accuracy"]

    engines = "reference, fast and Lava" if lava else "reference and fast"
    with stages("parity", f"{engines} on {compared} images, every node and step"):
        parity = check_parity(found.graph, test.take(slice(compared)), console.listener, lava=lava)

    with stages("report", "report"):
        said = (
            f"{engines} on {compared} images: {parity.values_compared:,} values compared,"
            f" {parity.mismatches} mismatches",
            f"fast engine: {fast.steps_per_second:,.0f} time steps a second",
        )
        found.to_html(page, shown.title, file_name=integers.name, measured=said)

    console.document(
        {"checkpoint": shown.checkpoint, "data": shown.data, "samples": samples,
         "accuracy": accuracy,
         "accuracy_float": found.accuracy_float, "agreement": found.agreement,
         "lava_samples": compared if lava else 0, "values_compared": parity.values_compared,
         "mismatches": parity.mismatches, "first_mismatch": parity.first or None,
         "steps_per_second_fast": fast.steps_per_second,
         "steps_per_second_lava": parity.steps_per_second_lava,
         "steps_per_second_lava_best": parity.steps_per_second_lava_best,
         "spike_rates": dict(metrics.spike_rates), "saturations": metrics.total.saturations,
         "multiplications": multiplications(found.graph, metrics).as_json(),
         "recorded": found.recorded.as_json(), "nir": wrote.nir,
         "energy": found.energy.as_json() if found.energy else None, "report": str(page),
         "seconds": stages.seconds}
    )  # fmt: skip
    print_profile(console, found)
    console.say()
    console.say(f"accuracy      float {found.accuracy_float:.2%}, integer {accuracy:.2%}"
                f" ({samples} images; {found.agreement:.2%} equal predictions,"
                f" {metrics.total.saturations} saturations)")  # fmt: skip
    rates = ", ".join(f"{name} {rate:.1%}" for name, rate in metrics.spike_rates.items())
    console.say(f"spike rates   {rates}")
    console.say(f"fast engine   {fast.steps_per_second:,.0f} steps/s")
    _say_parity(console, parity, compared, fast.steps_per_second)
    console.say(f"report        {page}")
    console.say(f"took          {sum(stages.seconds.values()):.0f} s")
    return 1 if parity.mismatches else 0


def _say_parity(console: Console, parity: Parity, samples: int, fast: float) -> None:
    bundle, best = parity.steps_per_second_lava, parity.steps_per_second_lava_best
    if bundle is None or best is None:
        console.say("Lava          left out")
        console.say(f"parity        {parity.values_compared:,} values of every node and step on"
                    f" {samples} images, reference = fast: {parity.mismatches} mismatches"
                    + (f"; first: {parity.first}" if parity.first else ""))  # fmt: skip
        return
    console.say(f"Lava          {bundle:,.0f} steps/s in the network of a bundle: a process a node,"
                f" Lava's own Dense between, one image (fast is {fast / bundle:,.0f} times that);"
                f" {best:,.0f} steps/s in one Lava process around our cells, {samples} images side"
                f" by side ({fast / best:,.0f} times)")  # fmt: skip
    console.say(f"parity        {parity.values_compared:,} values of every node and step on"
                f" {samples} images, reference = fast = Lava in one process, and on 1 image ="
                f" Lava's Dense: {parity.mismatches} mismatches"
                + (f"; first: {parity.first}" if parity.first else ""))  # fmt: skip
