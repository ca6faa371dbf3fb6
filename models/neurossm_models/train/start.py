"""Starts or resumes training: a recipe, changes to it, and the folder of the run."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from neurossm.arguments import whole
from neurossm.deprecation import Deprecated, renamed
from neurossm.errors import InputError, NeurossmError
from neurossm_models.arguments import check_path
from neurossm_models.data.own import task_to_json
from neurossm_models.data.registry import load, task
from neurossm_models.data.sets import SOURCES
from neurossm_models.data.task import Task
from neurossm_models.train.changes import renamed_text
from neurossm_models.train.checkpoint import replace_file
from neurossm_models.train.deterministic import computing
from neurossm_models.train.devices import AUTO, HOST
from neurossm_models.train.estimates import check_room
from neurossm_models.train.estimates.sequences import check_share
from neurossm_models.train.evaluation import run_folder
from neurossm_models.train.finetuning import Finetuner, MakeQATModel, starting_network
from neurossm_models.train.logs import LOGS
from neurossm_models.train.loop import TrainResult
from neurossm_models.train.memory import keep_freed_memory, return_freed_memory
from neurossm_models.train.modules import ModuleConfig
from neurossm_models.train.own_data import check_same_facts, described, facts_for
from neurossm_models.train.parallel import Group, processes
from neurossm_models.train.pruning import record
from neurossm_models.train.recipe import Recipe, load_recipe, recipe_path, to_toml
from neurossm_models.train.records import CHECKPOINT, FACTS
from neurossm_models.train.resuming import BEGIN
from neurossm_models.train.sections import may_move
from neurossm_models.train.trainer import RecipeTrainer


@renamed(make_twin="make_qat_model")
def train(
    recipe_name_or_path: str | Path,
    overrides: list[str] | None = None,
    out: Path | None = None,
    resume: bool = False,
    stop_after: int | None = None,
    make_qat_model: MakeQATModel | None = None,
    tell: Callable[[str], None] | None = None,
) -> TrainResult:
    """Train a network as a recipe says, and return what it reached.

    Sets PyTorch's global seed and, if the recipe says so, its number of threads (of each process).
    Under torchrun the processes share every batch; see `neurossm_models.train.parallel`.

    Parameters
    ----------
    recipe_name_or_path
        A TOML file, or the name of a recipe of this package, or of a family: a recipe for data of
        one's own, which `overrides` name as ``data.path=...`` (see `data_changes`).
    overrides
        Changes, each ``section.key=value``.
    out
        Run folder; ``runs/NAME`` if None.
    resume
        Continue the run in `out` from its last checkpoint. The result is the same, bit for bit,
        as if it had never stopped (same machine, same number of threads).
    stop_after
        Stop with a checkpoint once this many steps in all are done. None: train to the end.
    make_qat_model
        From a recipe with a section [finetune], and the facts of its data, to what runs its
        integers.
    tell
        Is called with a few lines that say what was learned of data of one's own; None: nobody.

    Returns
    -------
    TrainResult
        Also if interrupted (SIGINT, SIGTERM): the run stops after the step at hand and saves.

    Raises
    ------
    InputError
        If the recipe is wrong, the folder already holds a run, logs of one or a recipe of yours and
        `resume` is false, or there is nothing to resume, or it was started with another recipe; if
        the batch cannot be shared evenly by the processes, or needs more memory than there is; if
        the network to fine-tune is not the one of the recipe; if a file cannot be written.
    GraphError
        If the network to fine-tune cannot be deployed; names the module.
    TargetError
        If its integers do not run on the device.
    """
    recipe = load_recipe(recipe_name_or_path, overrides)
    if out is not None:
        check_path("train out", out)
    if stop_after is not None:
        whole("train stop_after", stop_after, 0)
    folder = Path("runs") / Path(recipe_name_or_path).stem if out is None else Path(out)
    facts = facts_for(recipe)
    if facts is not None:
        recipe = load_recipe(recipe_name_or_path, overrides, facts)
    if resume:
        _check_resumed(folder, recipe, recipe_path(recipe_name_or_path))
    else:
        check_new(folder, recipe_path(recipe_name_or_path))
    if facts is None and SOURCES[recipe.data.name].find(None) is None:
        load(f"{recipe.data.title}:train")  # says what is missing, before a large step is tried
    torch.manual_seed(recipe.train.seed)
    if recipe.train.threads:
        torch.set_num_threads(recipe.train.threads)
    with (
        processes(recipe.train.device) as group,
        computing(group.device, recipe.train.deterministic),
    ):
        check_share(recipe, group.size)
        if resume and facts is not None:
            check_same_facts(folder, facts)
        plenty = check_room(recipe, task(recipe.data.name) if facts is None else facts, group)
        keep_freed_memory() if plenty else return_freed_memory()
        placed = recipe if plenty else _without_room(recipe)
        trainer = _trainer(placed, folder, group, make_qat_model, facts)
        if tell is not None and group.first:
            _say(trainer, facts, tell)
        if resume:
            trainer.restore()
        elif group.first:
            replace_file(folder / "recipe.toml", to_toml(recipe).encode(), BEGIN)
            if facts is not None:
                replace_file(folder / FACTS, task_to_json(facts).encode(), BEGIN)
            _keep_history(trainer, folder)
            trainer.prepare()
        return trainer.run(stop_after)


def _without_room(recipe: Recipe) -> Recipe:
    """Return a recipe whose data stay on the host unless they are asked to lie on the device."""
    if recipe.train.data_on != AUTO:
        return recipe
    return dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, data_on=HOST))


def _say(trainer: RecipeTrainer, facts: Task | None, tell: Callable[[str], None]) -> None:
    if facts is not None:
        tell(described(facts, *trainer.samples))
        if trainer.pads:
            tell("the module has no argument lengths: it sees what pads shorter sequences")
    if trainer.there is not None:
        tell(f"the data lie on {trainer.group.device}, where batches are cut")


def _keep_history(trainer: RecipeTrainer, folder: Path) -> None:
    """Copy the logs of what a run starts from: its epochs are part of what the weights cost.

    And say whose zeros stay, if any do.
    """
    recipe = trainer.recipe
    if trainer.pruner is not None:
        record(folder, trainer.pruner.layers)
    start = recipe.finetune.run if recipe.finetune else recipe.train.start
    if start:
        logs = [run_folder(start) / name for name in ("start.jsonl", "log.jsonl")]
        text = b"".join(log.read_bytes() for log in logs if log.exists())
        replace_file(folder / "start.jsonl", text, BEGIN)


def _trainer(
    recipe: Recipe,
    folder: Path,
    group: Group,
    make_qat_model: MakeQATModel | None,
    facts: Task | None,
) -> RecipeTrainer:
    if recipe.finetune is None:
        return RecipeTrainer(recipe, folder, group, facts)
    if make_qat_model is None:
        remedy = "use `neurossm train`, or pass make_qat_model"
        raise InputError("recipe [finetune]", expected="what runs the integers", remedy=remedy)
    if group.size > 1:
        got = f"{group.size}"
        raise InputError("quantization-aware training", expected="one process", got=got)
    qat_model = make_qat_model(recipe, task(recipe.data.name) if facts is None else facts)
    model = starting_network(recipe, qat_model, group.device)
    return Finetuner(recipe, folder, model, qat_model, group, facts)


def check_new(folder: Path, recipe: Path) -> None:
    """Refuse to start where a run, or what is left of one, would be lost or mixed with this one.

    A recipe that a run wrote and that no checkpoint followed is no loss.
    """
    expected, written = "no run there yet", folder / "recipe.toml"
    if (folder / CHECKPOINT).exists():
        remedy = "continue it with --resume, or choose another --out"
        raise InputError(str(folder), expected=expected, got="one", remedy=remedy)
    for name in ("weights.safetensors", *LOGS):
        if (folder / name).exists():
            remedy = f"choose another --out, or move {name} away"
            raise InputError(str(folder), expected=expected, got=name, remedy=remedy)
    if written.exists() and (written.samefile(recipe) or not _is_ours(written)):
        remedy = "choose another --out"
        got = f"{written}, which it would replace"
        raise InputError(str(folder), expected="a folder of its own", got=got, remedy=remedy)


def _is_ours(recipe: Path) -> bool:
    """Tell whether a run wrote this recipe, which then says nothing that can be lost."""
    try:
        written = renamed_text(recipe.read_text(encoding="utf-8"))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Deprecated)
            return written == to_toml(load_recipe(recipe))
    except (NeurossmError, OSError, UnicodeDecodeError):
        return False


def _check_resumed(folder: Path, recipe: Recipe, source: Path) -> None:
    written, state = folder / "recipe.toml", folder / CHECKPOINT
    if not state.is_file():
        of_run = (source.parent / CHECKPOINT).is_file()
        remedy = f"--out {source.parent}" if of_run else "train without --resume"
        raise InputError(str(folder), expected="a run to resume", got="none", remedy=remedy)
    before = load_recipe(written)
    own = f"neurossm train {written} --out {folder} --resume"
    remedy = f"resume with the settings the run was started with: {own}"
    if isinstance(before.model, ModuleConfig) != isinstance(recipe.model, ModuleConfig):
        expected = "a module" if isinstance(before.model, ModuleConfig) else "a family"
        raise InputError(f"{written} [model]", expected=expected, got="the other", remedy=remedy)
    for section in dataclasses.fields(Recipe):
        was, now = (_settings(getattr(one, section.name)) for one in (before, recipe))
        for key in was | now:
            old, new = was.get(key, "none"), now.get(key, "none")
            if old != new and not (section.name == "train" and may_move(key, old, new)):
                where = f"{written} [{section.name}] {key}"
                raise InputError(where, expected=old, got=new, remedy=remedy)


def _settings(section: Any) -> dict[str, str]:
    """Return the settings of a section of a recipe as text; none where there is no section."""
    return {} if section is None else {k: repr(v) for k, v in vars(section).items()}
