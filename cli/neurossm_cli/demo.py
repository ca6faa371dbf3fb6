"""``neurossm demo``: the whole path on real data, from a trained checkpoint to the report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neurossm.errors import InputError
from neurossm_cli.presentation import completing
from neurossm_cli.presentation.choices import checkpoints, listed
from neurossm_cli.presentation.console import Console, JsonOption
from neurossm_cli.presentation.counted import plural
from neurossm_cli.presentation.demonstration import print_demo
from neurossm_cli.presentation.energy import print_profile
from neurossm_cli.presentation.options import DataDirOption
from neurossm_cli.presentation.paths import READS_RUN, writes_into
from neurossm_cli.presentation.stages import Stages

FILES = ("model.nssm", "model.int.nssm", "report.html")
COMPARED = 20  # samples on every engine, also where Lava is left out


def demo(
    checkpoint: Annotated[
        str,
        typer.Option(
            metavar="RUN",
            help=f"Trained network: {listed(checkpoints())}; or a run folder, trained on a"
            " built-in data set (default: binary-s4d-smnist).",
            autocompletion=completing.checkpoint,
        ),
        READS_RUN,
    ] = "",
    samples: Annotated[
        int, typer.Option(metavar="N", help="Test images for accuracy and energy.")
    ] = 10_000,
    lava_samples: Annotated[
        int, typer.Option(metavar="N", help="Test images to run on Lava; 0 leaves Lava out.")
    ] = COMPARED,
    out: Annotated[
        Path,
        typer.Option(metavar="FOLDER", help="Folder for the networks and the report."),
        writes_into(*FILES),
    ] = Path("out/demo"),
    details: Annotated[
        bool, typer.Option("--details", help="Print the tables of operations and energy, too.")
    ] = False,
    data_dir: DataDirOption = "",
    json: JsonOption = False,
) -> int:  # fmt: skip
    """Run the whole path once, from PyTorch to an energy report.

    Takes a network that was trained on sequential MNIST from PyTorch to the integers of the chip,
    runs them on real test images, compares reference, fast engine and Lava bit by bit, estimates
    the energy on Loihi 2 (modeled, not measured), and writes a report. Fetches MNIST where it is
    missing, and installs lava-nc where the extra lava asked for it.
    """
    from neurossm.metrics import multiplications
    from neurossm.report import Parity
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

    with stages("quantize", "export from PyTorch and quantize"):
        graph = export(shown.checkpoint)
        beside = torch_beside(shown.checkpoint, graph, test)
        wrote = write_graph(graph, floating)
        calibration = load_data(f"{shown.data}:train:{CALIBRATING}", data_dir)
        quantize(graph, calibration, listener=console.listener).save(integers)

    with stages(
        "profile", f"run PyTorch and the integers on {samples:,} test images, estimate energy"
    ):
        # what runs is what the file holds
        found = profile(integers, test, floating=beside, listener=console.listener)
    fast, metrics = found.execution, found.metrics
    accuracy = labeled(found.scores, shown.data).values["accuracy"]

    engines = f"reference{', fast engine and Lava' if lava else ' and fast engine'}"
    with stages("parity", f"compare {engines} on {plural(compared, 'image')}"):
        parity = check_parity(found.graph, test.take(slice(compared)), console.listener, lava=lava)

    with stages("report", "write the report"):
        said = (
            f"{engines} on {compared} images: {parity.values_compared:,} values compared,"
            f" {parity.mismatches} mismatches",
            f"fast engine: {fast.steps_per_second:,.0f} time steps per second",
        )
        executors = ("reference", "fast engine", *(("Lava",) if lava else ()))
        agreed = Parity(executors=executors, samples=compared, values=parity.values_compared,
                        mismatches=parity.mismatches)  # fmt: skip
        found.to_html(page, shown.title, file_name=integers.name, measured=said, parity=agreed)

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
    if details:
        print_profile(console, found)
        console.say()
    print_demo(console, shown.checkpoint, found, parity, compared, (floating, integers, page))
    return 1 if parity.mismatches else 0
