"""``neurossm demo``: the whole path on real data, from a trained checkpoint to the report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neurossm.errors import InputError, TargetError
from neurossm.extras import LAVA
from neurossm_cli.presentation import completing
from neurossm_cli.presentation.choices import checkpoints, listed
from neurossm_cli.presentation.console import Console, JsonOption
from neurossm_cli.presentation.counted import plural
from neurossm_cli.presentation.demonstration import print_demo
from neurossm_cli.presentation.energy import print_profile
from neurossm_cli.presentation.options import DataDirOption
from neurossm_cli.presentation.paths import READS_RUN, writes_into

CALIBRATION = "mnist:train:512"
FILES = ("model.nssm", "model.int.nssm", "report.html")


def demo(
    checkpoint: Annotated[
        str,
        typer.Option(
            metavar="RUN",
            help=f"Trained network: {listed(checkpoints())}; or a run folder of your own.",
            autocompletion=completing.checkpoint,
        ),
        READS_RUN,
    ] = "binary-s4d-smnist",
    samples: Annotated[
        int, typer.Option(metavar="N", help="Test images for accuracy and energy.")
    ] = 10_000,
    lava_samples: Annotated[
        int, typer.Option(metavar="N", help="Test images to run on Lava; 0 leaves Lava out.")
    ] = 20,
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
    the energy on Loihi 2 (modeled, not measured), and writes a report.
    """
    from neurossm.metrics import multiplications
    from neurossm.report import Parity
    from neurossm_models.data import fetch
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
    fetch("mnist", data_dir or None)  # nothing, where it is there
    if lava_samples and not _lava(console):
        lava_samples = 0
    test = load_data(f"mnist:test:{samples}", data_dir)
    out.mkdir(parents=True, exist_ok=True)
    floating, integers, page = (out / name for name in FILES)

    console.note("[1/4] export from PyTorch and quantize")
    graph = export(checkpoint)
    beside = torch_beside(checkpoint, graph, test)
    wrote = write_graph(graph, floating)
    quantize(graph, load_data(CALIBRATION, data_dir), listener=console.listener).save(integers)

    console.note(f"[2/4] run PyTorch and the integers on {samples:,} test images, estimate energy")
    # what runs is what the file holds
    found = profile(integers, test, floating=beside, listener=console.listener)
    fast, metrics = found.execution, found.metrics
    accuracy = labeled(found.scores, "MNIST").values["accuracy"]

    console.note(
        f"[3/4] compare reference, fast engine and Lava on {plural(lava_samples, 'image')}"
    )
    parity = check_parity(found.graph, test.take(slice(lava_samples)), console.listener)

    console.note("[4/4] write the report")
    said = (
        f"reference, fast engine and Lava on {plural(lava_samples, 'image')}:"
        f" {parity.values_compared:,} values compared,"
        f" {plural(parity.mismatches, 'mismatch', 'mismatches')}",
        f"fast engine: {fast.steps_per_second:,.0f} time steps per second",
    )
    shown = Parity(executors=("reference", "fast engine", "Lava"), samples=lava_samples,
                   values=parity.values_compared, mismatches=parity.mismatches)  # fmt: skip
    found.to_html(page, f"{checkpoint} on sequential MNIST", file_name=integers.name,
                  measured=said if lava_samples else said[1:],
                  parity=shown if lava_samples else None)  # fmt: skip

    console.document(
        {"checkpoint": checkpoint, "samples": samples, "accuracy": accuracy,
         "accuracy_float": found.accuracy_float, "agreement": found.agreement,
         "lava_samples": lava_samples, "values_compared": parity.values_compared,
         "mismatches": parity.mismatches, "first_mismatch": parity.first or None,
         "steps_per_second_fast": fast.steps_per_second,
         "steps_per_second_lava": parity.steps_per_second_lava,
         "steps_per_second_lava_best": parity.steps_per_second_lava_best,
         "spike_rates": dict(metrics.spike_rates), "saturations": metrics.total.saturations,
         "multiplications": multiplications(found.graph, metrics).as_json(),
         "recorded": found.recorded.as_json(), "nir": wrote.nir,
         "energy": found.energy.as_json() if found.energy else None, "report": str(page)}
    )  # fmt: skip
    if details:
        print_profile(console, found)
        console.say()
    print_demo(console, checkpoint, found, parity, lava_samples, (floating, integers, page))
    return 1 if parity.mismatches else 0


def _lava(console: Console) -> bool:
    """Return whether Lava can run; install lava-nc where the extra is there and pip left it out."""
    from neurossm_converters.backends.lava import shim
    from neurossm_workflows.installing import asked_for_lava, install_lava

    if shim.status().usable:
        return True
    if not asked_for_lava():
        console.note(f"without Lava: {shim.status().problem}; with it: {LAVA.command}")
        return False
    try:
        install_lava(console.listener)
    except TargetError as error:
        console.note(f"without Lava: {error}")
        return False
    return True
