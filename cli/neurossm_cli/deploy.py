"""``neurossm deploy``: to a Loihi 2 where there is one, else a bundle for a machine that has it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neurossm_cli.presentation.choices import GENERATIONS, TARGETS, choice
from neurossm_cli.presentation.console import Console, JsonOption
from neurossm_cli.presentation.counted import plural
from neurossm_cli.presentation.options import (
    DataDirOption,
    IntegerGraph,
    MappingOption,
    OtherDataOption,
    data_option,
)
from neurossm_cli.presentation.paths import READS_DATA, writes_into

if TYPE_CHECKING:
    from neurossm_converters.backends.loihi2 import ChipRun, Settings
    from neurossm_workflows.deploy import Deployment


def deploy(
    graph: IntegerGraph,
    target: Annotated[
        str,
        choice(TARGETS, "Where it runs, {}: the chip, or Lava's simulation of the same network on"
               " the CPU.", metavar="TARGET"),
    ] = "loihi2",
    bundle: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Write the bundle into this new folder, and run from it."
        ),
        writes_into(),  # nothing that is there: the folder is new
    ] = None,
    processes: Annotated[
        str,
        typer.Option(
            metavar="ours|lava|NODE,NODE",
            help="Which neurons are Lava's own LIF and S4d: none, all, or these nodes.",
        ),
    ] = "ours",
    data: Annotated[
        str,
        data_option("Data that the bundle carries with our predictions, a few samples"),
        READS_DATA,
    ] = "",
    ssm_mapping: MappingOption = None,
    models: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE", help="Python module that registers neuro-core models; repeatable."
        ),
    ] = None,
    slurm_partition: Annotated[
        str, typer.Option(metavar="NAME", help="SLURM partition with chips.")
    ] = "",
    slurm_board: Annotated[
        str, typer.Option(metavar="NAME", help="SLURM node, instead of a partition.")
    ] = "",
    loihi_gen: Annotated[
        str, choice(GENERATIONS, "Generation of the chip: {}.", metavar="NAME")
    ] = "N3B3",
    profile: Annotated[
        bool,
        typer.Option("--profile", help="Measure power, energy and time with Lava's profiler."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; write and run nothing.")
    ] = False,
    data_dir: DataDirOption = "",
    other_data: OtherDataOption = False,
    json: JsonOption = False,
) -> int:  # fmt: skip
    """Run a network on Loihi 2, or write a bundle that does.

    A bundle is a folder for a machine with a chip and Lava; it needs no neurossm there. What runs
    are the golden vectors of the file. With --processes ours their values must be bit-exact, else
    the exit status is 1.
    """
    from neurossm_workflows.deploy import deploy as deploy_file

    console = Console(json)
    done = deploy_file(
        graph, target=target, bundle=bundle, processes=processes, data=data,
        ssm_mapping=ssm_mapping, models=models or (), partition=slurm_partition, board=slurm_board,
        generation=loihi_gen, profile=profile, dry_run=dry_run, data_dir=data_dir,
        other_data=other_data, listener=console.listener,
    )  # fmt: skip
    for line in (*done.compatibility.splitlines(), done.summary()):
        console.say(line)
    if not done.able:
        console.note(
            f"{done.missing}, so nothing {'would run' if dry_run else 'was run'} on a chip"
        )
    if dry_run:
        console.say(_intention(done))
    elif done.bundle is not None:
        folder = done.bundle
        console.say(f"bundle: {folder} ({len(done.files)} files); read {folder}/README.md")
    if done.ran is not None:
        print_run(console, done.ran, done.settings)
    console.document(done.as_json())
    return 0 if done.passed else 1


def _intention(done: Deployment) -> str:
    settings, folder = done.settings, done.bundle
    what = {"lava": "Lava's CPU simulator", "loihi2": "the Loihi 2"}[settings.target]
    parts = [f"write a bundle into {folder}"] if folder else []
    parts += [f"run its golden vectors on {what}"] if done.able else []
    where = " ".join(f"{key}={value}" for key, value in settings.environment().items())
    return f"dry run: would {' and '.join(parts)}{f' ({where})' if where else ''}; wrote nothing"


def print_run(console: Console, result: ChipRun, settings: Settings) -> None:
    """Print what the target answered, and what was measured there."""
    for name, (differing, largest) in result.differences.items():
        console.say(f"{name}: {plural(differing, 'value')} differ, by at most {largest}")
    console.say(f"ran on: {result.ran_on}")
    expected = "" if settings.exact else " (Lava's own neurons need not be)"
    verdict = "bit-exact with" if result.equal else f"{result.differing:,} differ from"
    console.say(
        f"{plural(result.compared, 'integer')}, {verdict} the golden vectors{expected};"
        f" latency {plural(result.latency, 'step')}, {result.seconds:.1f} s with start-up"
    )
    for name, numbers in result.profile.items():
        console.say(f"{name}: mean {numbers['mean']:g}, measured")
    if settings.profile and not result.profile:
        console.note(f"nothing was measured: it ran on {result.ran_on}")
