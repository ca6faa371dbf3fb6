"""Deploys to a Loihi 2 if there is one, else writes a bundle for a machine that has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neurossm import contract
from neurossm.arguments import file_path
from neurossm.errors import InputError
from neurossm.hardware import load_hardware
from neurossm.placement import DEFAULT_MAPPING, Placement, place
from neurossm.store import graph_digest, load
from neurossm_converters.backends import loihi2
from neurossm_converters.backends.lava import require_lava, status
from neurossm_converters.backends.loihi2.script import FILES
from neurossm_workflows.listener import QUIET, Listener
from neurossm_workflows.made_for import data_for

if TYPE_CHECKING:
    from neurossm.graph import Graph
    from neurossm_converters.backends.loihi2 import BundleData, ChipRun, Settings

DEFAULT_GENERATION = "N3B3"
MISSING = "lava-loihi is not installed here (closed, for members of Intel's INRC)"
LAVAS_OWN = "lava"  # processes: Lava's S4d has one neuron a state


@dataclass(frozen=True, eq=False)
class Deployment:
    """What was done, or in a dry run would be.

    Attributes
    ----------
    graph
        The file.
    settings
        Target, processes, queue.
    placement
        A plan by published limits, not the compiler's.
    compatibility
        What the back end says of this graph and these settings, in lines.
    able
        Whether the target can be used on this machine.
    bundle, files
        The folder and what was written into it; None and empty: none.
    ran
        What the target answered; None: it did not run.
    dry_run
        Whether nothing was written and run.
    """

    graph: Path
    settings: Settings
    placement: Placement
    compatibility: str
    able: bool
    bundle: Path | None
    files: tuple[str, ...] = ()
    ran: ChipRun | None = None
    dry_run: bool = False

    @property
    def missing(self) -> str:
        """What the target lacks here; empty: nothing."""
        return "" if self.able else MISSING

    @property
    def passed(self) -> bool:
        """False where it ran, should have been equal, and was not."""
        return self.ran is None or self.ran.equal or not self.settings.exact

    def summary(self) -> str:
        """Return the placement in a sentence."""
        plan = self.placement
        return (
            f"placement: {len(plan.cores)} cores on {plan.chips} chip(s)"
            f" (ssm-mapping {plan.ssm_mapping}), a plan by published limits, not the compiler's"
        )

    def as_json(self) -> dict[str, Any]:
        """Return plain values."""
        ran, plan = self.ran, self.placement
        return {
            "graph": str(self.graph), "target": self.settings.target,
            "processes": self.settings.processes, "placement": self.summary(),
            "cores": len(plan.cores), "chips": plan.chips, "ssm_mapping": plan.ssm_mapping,
            "missing": self.missing, "bundle": str(self.bundle) if self.bundle else None,
            "files": list(self.files), "dry_run": self.dry_run,
            "ran": None if ran is None else {
                "on": ran.ran_on, "chip": ran.on_chip, "equal": ran.equal,
                "compared": ran.compared, "differing": ran.differing, "latency": ran.latency,
                "network_steps": ran.network_steps, "seconds": ran.seconds,
                "models": ran.models, "profile": ran.profile,
            },
        }  # fmt: skip


def deploy(
    graph: str | Path,
    *,
    target: str = "loihi2",
    bundle: str | Path | None = None,
    processes: str = "ours",
    data: str = "",
    ssm_mapping: str | None = None,
    models: Sequence[str] = (),
    partition: str = "",
    board: str = "",
    generation: str = DEFAULT_GENERATION,
    profile: bool = False,
    dry_run: bool = False,
    data_dir: str = "",
    other_data: bool = False,
    listener: Listener = QUIET,
) -> Deployment:
    """Run golden vectors on a Loihi 2, or write a bundle for a machine that has one.

    Parameters
    ----------
    graph
        The file of an integer graph with golden vectors.
    target
        ``"loihi2"``, or ``"lava"``: the same network on the CPU simulator.
    bundle
        A new folder for the bundle, which is then run from there.
    processes
        ``"ours"``, ``"lava"``, or names of nodes that use Lava's own LIF and S4d.
    data
        Data that the bundle carries, with the predictions of the fast engine.
    ssm_mapping
        The mapping of the processes, or None; another one is an error.
    models
        Modules that register neuro-core models.
    partition, board, generation
        Of SLURM and the chip.
    profile
        Measure power, energy and time with Lava's profiler.
    dry_run
        Say what would be done; write and run nothing.
    data_dir, other_data, listener
        As of `data_for`.

    Raises
    ------
    InputError
        For settings that do not go together, a float graph, or a folder that exists already.
    TargetError
        If Lava is the target and cannot be used.

    Examples
    --------
    >>> done = neurossm.deploy("m.int.nssm", bundle="to-loihi2")
    >>> done.missing or done.ran.equal
    'lava-loihi is not installed here (closed, for members of Intel's INRC)'
    """
    file, folder = file_path("graph", graph), None if bundle is None else Path(bundle)
    settings = loihi2.Settings(
        target=target, processes=processes, models=tuple(models),  # type: ignore[arg-type]
        partition=partition, board=board, generation=generation, profile=profile,
    )  # fmt: skip
    here = settings.target == "lava"
    if here and folder is None:
        _refuse_a_queue(settings)
    if here and not dry_run:
        require_lava()
    loaded = load(file)
    plan = _plan(file, loaded, deployed_mapping(ssm_mapping, settings.processes))
    able = here or status().loihi_installed
    folder = folder if able else folder or loihi2.default_folder(file)
    loihi2.check_bundle(folder, file)
    carried = None
    if data:
        if folder is None:
            raise InputError("--data requires --bundle",
                             remedy="neurossm run --engine lava --data runs data here")  # fmt: skip
        carried = _carried(loaded, data, data_dir, other_data, listener)
    said = loihi2.check(file, settings)
    files: tuple[str, ...] = ()
    ran = None
    if folder is not None and not dry_run:
        files = loihi2.write_bundle(folder, file, settings, plan.as_json(), carried)
    if able and not dry_run:
        ran = loihi2.run(file, settings, folder or FILES)
    return Deployment(file, settings, plan, said, able, folder, files, ran, dry_run)


def deployed_mapping(given: str | None, processes: str) -> str:
    """Return the mapping of a network that is deployed: its processes decide it.

    Raises
    ------
    InputError
        If another one was asked for.
    """
    mapping = "state" if processes == LAVAS_OWN else DEFAULT_MAPPING
    if given is not None and given != mapping:
        remedy = "--processes ours has one neuron a channel, --processes lava one a state"
        expected = f"{mapping}, as --processes {processes} makes it"
        raise InputError("--ssm-mapping", expected=expected, got=repr(given), remedy=remedy)
    return mapping


def _plan(file: Path, graph: Graph, ssm_mapping: str) -> Placement:
    """Place the network as it is deployed."""
    if not graph.is_integer:
        raise InputError(
            str(file), expected="an integer graph", got="a float graph",
            remedy=f"'neurossm quantize {file} -o NEW --calibrate DATA' makes one",
        )  # fmt: skip
    contract.require(graph)
    return place(graph, load_hardware("loihi2"), ssm_mapping=ssm_mapping)


def _carried(
    graph: Graph, data: str, data_dir: str, other_data: bool, listener: Listener
) -> BundleData:
    """Return the data that a bundle carries, with the answers of the fast engine."""
    if len(graph.inputs) != 1:
        got = ", ".join(graph.inputs)
        raise InputError("--data", expected="a graph with one Input", got=got)
    given = data_for(graph, data, data_dir, other_data=other_data, listener=listener)
    labels = given.labels
    known = labels >= 0 if labels.dtype.kind in "iu" else labels == labels  # nan: unknown
    return loihi2.BundleData.of(graph, graph_digest(graph), given.inputs, given.lengths,
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
            raise InputError(f"{option} requires --target loihi2 or --bundle")
