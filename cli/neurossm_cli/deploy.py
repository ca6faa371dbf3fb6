"""``neurossm deploy``: to a Loihi 2 where there is one, else a bundle for a machine that has it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neurossm.errors import InputError
from neurossm_cli.presentation.console import (
    GRAMMAR,
    Console,
    DataDirOption,
    JsonOption,
    OtherDataOption,
)
from neurossm_cli.presentation.options import MappingOption, deployed_mapping
from neurossm_cli.presentation.paths import READS, READS_DATA, writes_into

if TYPE_CHECKING:
    from neurossm.placement import Placement
    from neurossm_converters.backends.loihi2 import BundleData, ChipRun, Settings

DEFAULT_GENERATION = "N3B3"
MISSING = "lava-loihi is not installed here (closed, for members of Intel's INRC)"


def deploy(
    graph: Annotated[
        Path, typer.Argument(help="An integer .nssm file with golden vectors."), READS
    ],
    target: Annotated[
        str, typer.Option(help="loihi2, or lava: the same network on the CPU simulator.")
    ] = "loihi2",
    bundle: Annotated[
        Path | None,
        typer.Option(help="Write the bundle into this new folder, and run from it."),
        writes_into(),  # nothing that is there: the folder is new
    ] = None,
    processes: Annotated[
        str,
        typer.Option(help="ours | lava | NODE,NODE: where Lava's own LIF and S4d stand in."),
    ] = "ours",
    data: Annotated[
        str,
        typer.Option(
            help="Data that the bundle carries, with our answers: a few samples. " + GRAMMAR
        ),
        READS_DATA,
    ] = "",
    ssm_mapping: MappingOption = None,
    models: Annotated[
        list[str] | None,
        typer.Option(help="Module that registers neuro-core models; may be repeated."),
    ] = None,
    slurm_partition: Annotated[str, typer.Option(help="SLURM partition with chips.")] = "",
    slurm_board: Annotated[str, typer.Option(help="SLURM node, instead of a partition.")] = "",
    loihi_gen: Annotated[str, typer.Option(help="N3B2 | N3B3 | N3C1 | N3D1.")] = DEFAULT_GENERATION,
    profile: Annotated[
        bool, typer.Option("--profile", help="Power, energy and time with Lava's profiler.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done; write and run nothing.")
    ] = False,
    data_dir: DataDirOption = "",
    other_data: OtherDataOption = False,
    json: JsonOption = False,
) -> int:
    """Run golden vectors on a Loihi 2, or write a bundle that does it where there is one."""
    from neurossm_converters.backends.lava import require_lava, status
    from neurossm_converters.backends.loihi2 import (
        Settings,
        check,
        check_bundle,
        default_folder,
        run,
        write_bundle,
    )
    from neurossm_converters.backends.loihi2.script import FILES

    console = Console(json, other_data)
    settings = Settings(
        target=target, processes=processes, models=tuple(models or ()),  # type: ignore[arg-type]
        partition=slurm_partition, board=slurm_board, generation=loihi_gen, profile=profile,
    )  # fmt: skip
    if settings.target == "lava" and bundle is None:
        _refuse_a_queue(settings)
    if settings.target == "lava" and not dry_run:
        require_lava()
    plan = _plan(graph, settings, ssm_mapping)
    able = settings.target == "lava" or status().loihi_installed
    folder = bundle if able else bundle or default_folder(graph)
    check_bundle(folder, graph)
    carried = _data(graph, data, data_dir, folder, console) if data else None
    said = check(graph, settings)
    document = _document(graph, settings, plan, folder, able)
    for line in (*said.splitlines(), document["placement"]):
        console.say(line)
    if not able:
        console.note(f"{MISSING}, so nothing {'would run' if dry_run else 'was run'} on a chip")
    if dry_run:
        console.say(_intention(settings, folder, able))
        console.document({**document, "dry_run": True})
        return 0
    if folder is not None:
        document["files"] = list(write_bundle(folder, graph, settings, plan.as_json(), carried))
        console.say(f"bundle: {folder} ({len(document['files'])} files); read {folder}/README.md")
    if not able:
        console.document(document)
        return 0
    result = run(graph, settings, folder or FILES)
    return _report(console, result, settings, document)


def _data(
    graph: Path, spec: str, data_dir: str, folder: Path | None, console: Console
) -> BundleData:
    """Return the data that a bundle carries, with the answers of the fast engine."""
    from neurossm.store import graph_digest, load
    from neurossm_converters.backends.loihi2 import BundleData
    from neurossm_workflows.loading import load_data
    from neurossm_workflows.made_for import check_task

    if folder is None:
        raise InputError("--data", expected="--bundle beside it", got="none",
                         remedy="neurossm run --engine lava --data runs data here")  # fmt: skip
    loaded = load(graph)
    if len(loaded.inputs) != 1:
        got = ", ".join(loaded.inputs)
        raise InputError("--data", expected="a graph with one Input", got=got)
    given = load_data(spec, data_dir, loaded)
    check_task(loaded, given, console)
    labels = given.labels
    known = labels >= 0 if labels.dtype.kind in "iu" else labels == labels  # nan: unknown
    return BundleData.of(loaded, graph_digest(loaded), given.inputs, given.lengths,
                         labels if known.any() else None)  # fmt: skip


def _refuse_a_queue(settings: Settings) -> None:
    """Refuse options of a job where none is written or started: they would be ignored."""
    given = {
        "--slurm-partition": settings.partition,
        "--slurm-board": settings.board,
        "--loihi-gen": "" if settings.generation == DEFAULT_GENERATION else settings.generation,
    }
    for option, value in given.items():
        if value:
            raise InputError(option, expected="--target loihi2 or --bundle beside it",
                             got="--target lava, which runs here")  # fmt: skip


def _plan(graph: Path, settings: Settings, ssm_mapping: str | None) -> Placement:
    """Place the network as it is deployed."""
    from neurossm import contract
    from neurossm.hardware import load_hardware
    from neurossm.placement import place
    from neurossm.store import load

    loaded = load(graph)
    if not loaded.is_integer:
        raise InputError(
            str(graph), expected="an integer graph", got="a float graph",
            remedy=f"'neurossm quantize {graph} -o NEW --calibrate DATA' makes one",
        )  # fmt: skip
    contract.require(loaded)
    mapping = deployed_mapping(ssm_mapping, settings.processes)
    return place(loaded, load_hardware("loihi2"), ssm_mapping=mapping)


def _document(
    graph: Path, settings: Settings, plan: Placement, folder: Path | None, able: bool
) -> dict[str, Any]:
    return {
        "graph": str(graph), "target": settings.target, "processes": settings.processes,
        "placement": f"placement: {len(plan.cores)} cores on {plan.chips} chip(s)"
        f" (ssm-mapping {plan.ssm_mapping}), a plan by published limits, not the compiler's",
        "cores": len(plan.cores), "chips": plan.chips, "ssm_mapping": plan.ssm_mapping,
        "missing": "" if able else MISSING, "bundle": str(folder) if folder else None,
        "files": [], "ran": None, "dry_run": False,
    }  # fmt: skip


def _intention(settings: Settings, folder: Path | None, able: bool) -> str:
    what = {"lava": "Lava's CPU simulator", "loihi2": "the Loihi 2"}[settings.target]
    parts = [f"write a bundle into {folder}"] if folder else []
    parts += [f"run its golden vectors on {what}"] if able else []
    where = " ".join(f"{key}={value}" for key, value in settings.environment().items())
    return f"dry run: would {' and '.join(parts)}{f' ({where})' if where else ''}; wrote nothing"


def _report(console: Console, result: ChipRun, settings: Settings, document: dict[str, Any]) -> int:
    for name, (differing, largest) in result.differences.items():
        console.say(f"{name}: {differing} differ, by at most {largest}")
    console.say(f"ran on: {result.ran_on}")
    expected = "" if settings.exact else " (Lava's own neurons are not expected to be equal)"
    verdict = "all equal to" if result.equal else f"{result.differing} differ from"
    console.say(
        f"{result.compared} integers, {verdict} the golden vectors{expected};"
        f" latency {result.latency} steps, {result.seconds:.1f} s with start-up"
    )
    for name, numbers in result.profile.items():
        console.say(f"{name}: mean {numbers['mean']:g}, measured")
    if settings.profile and not result.profile:
        console.note(f"nothing was measured: it ran on {result.ran_on}")
    document["ran"] = {
        "on": result.ran_on, "chip": result.on_chip, "equal": result.equal,
        "compared": result.compared, "differing": result.differing, "latency": result.latency,
        "network_steps": result.network_steps, "seconds": result.seconds,
        "models": result.models, "profile": result.profile,
    }  # fmt: skip
    console.document(document)
    return 0 if result.equal or not settings.exact else 1
