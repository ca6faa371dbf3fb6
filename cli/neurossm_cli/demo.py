"""``neurossm demo``: the whole path on real data, from a trained checkpoint to the report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurossm.errors import InputError, TargetError
from neurossm.extras import LAVA
from neurossm_cli.presentation.console import Console, DataDirOption, JsonOption
from neurossm_cli.presentation.energy import print_profile
from neurossm_cli.presentation.paths import READS_RUN, writes_into

if TYPE_CHECKING:
    from neurossm_workflows.parity import Parity

CALIBRATION = "mnist:train:512"
FILES = ("model.nssm", "model.int.nssm", "report.html")


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
    from neurossm.metrics import multiplications
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

    console.note("[1/4] export and quantize")
    graph = export(checkpoint)
    beside = torch_beside(checkpoint, graph, test)
    wrote = write_graph(graph, floating)
    quantize(graph, load_data(CALIBRATION, data_dir), listener=console.listener).save(integers)

    console.note(f"[2/4] the integers and PyTorch on {samples} MNIST test images, counts, energy")
    # what runs is what the file holds
    found = profile(integers, test, floating=beside, listener=console.listener)
    fast, metrics = found.execution, found.metrics
    accuracy = labeled(found.scores, "MNIST").values["accuracy"]

    console.note(f"[3/4] reference, fast and Lava on {lava_samples} images, every node and step")
    parity = check_parity(found.graph, test.take(slice(lava_samples)), console.listener)

    console.note("[4/4] report")
    said = (
        f"reference, fast and Lava on {lava_samples} images: {parity.values_compared:,} values"
        f" compared, {parity.mismatches} mismatches",
        f"fast engine: {fast.steps_per_second:,.0f} time steps a second",
    )
    found.to_html(page, f"{checkpoint} on sequential MNIST", file_name=integers.name,
                  measured=said if lava_samples else said[1:])  # fmt: skip

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
    print_profile(console, found)
    console.say()
    console.say(f"accuracy      float {found.accuracy_float:.2%}, integer {accuracy:.2%}"
                f" ({samples} images; {found.agreement:.2%} equal predictions,"
                f" {metrics.total.saturations} saturations)")  # fmt: skip
    rates = ", ".join(f"{name} {rate:.1%}" for name, rate in metrics.spike_rates.items())
    console.say(f"spike rates   {rates}")
    console.say(f"fast engine   {fast.steps_per_second:,.0f} steps/s")
    _say_parity(console, parity, lava_samples, fast.steps_per_second)
    console.say(f"report        {page}")
    return 1 if parity.mismatches else 0


def _lava(console: Console) -> bool:
    """Return whether Lava can run; install lava-nc where the extra is there and pip left it out."""
    from neurossm_converters.backends.lava import shim
    from neurossm_workflows.install import install_lava, lava_asked_for

    if shim.status().usable:
        return True
    if not lava_asked_for():
        console.note(f"without Lava: {shim.status().problem}; with it: {LAVA.command}")
        return False
    try:
        install_lava(console.listener)
    except TargetError as error:
        console.note(f"without Lava: {error}")
        return False
    return True


def _say_parity(console: Console, parity: Parity, samples: int, fast: float) -> None:
    bundle, best = parity.steps_per_second_lava, parity.steps_per_second_lava_best
    if bundle is None or best is None:
        console.say("Lava          left out")
        return
    console.say(f"Lava          {bundle:,.0f} steps/s in the network of a bundle: a process a node,"
                f" Lava's own Dense between, one image (fast is {fast / bundle:,.0f} times that);"
                f" {best:,.0f} steps/s in one Lava process around our cells, {samples} images side"
                f" by side ({fast / best:,.0f} times)")  # fmt: skip
    console.say(f"parity        {parity.values_compared:,} values of every node and step on"
                f" {samples} images, reference = fast = Lava in one process, and on 1 image ="
                f" Lava's Dense: {parity.mismatches} mismatches"
                + (f"; first: {parity.first}" if parity.first else ""))  # fmt: skip
