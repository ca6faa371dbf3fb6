"""Trained networks: loading one, and measuring it on a part of its data set."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from neurossm.arguments import whole
from neurossm.errors import FormatError, InputError, nearest
from neurossm_models.arguments import check_path
from neurossm_models.config import EVERY_STEP, PAIR, NetworkConfig
from neurossm_models.data.dataset import Dataset
from neurossm_models.data.labels import CLASSIFICATION, NEXT_STEP, STEP_CLASSIFICATION
from neurossm_models.data.labels import EVERY_STEP as EVERY_STEP_KINDS
from neurossm_models.data.own import task_from_json
from neurossm_models.data.registry import load, task
from neurossm_models.data.streams import check_stream
from neurossm_models.data.task import Task
from neurossm_models.network import Network
from neurossm_models.tasks import Scorer
from neurossm_models.tasks.losses import Loss
from neurossm_models.train.batches import Batch, ahead, batch_of, tensors
from neurossm_models.train.checkpoint import load_tensors, load_weights
from neurossm_models.train.measuring import Evaluation, Tally, device_at, records, tallied
from neurossm_models.train.modules import ModuleConfig, built
from neurossm_models.train.moving import pinned, threads_for
from neurossm_models.train.pruning import kept_layers
from neurossm_models.train.recipe import Recipe, load_recipe
from neurossm_models.train.records import FACTS, read_text

__all__ = ["CHECKPOINTS", "Evaluation", "evaluate", "load_facts", "load_model", "measure", "score",
           "tensors"]  # fmt: skip

CHECKPOINTS = Path(__file__).parents[1] / "checkpoints"
STEPS_AT_ONCE = 200_000  # of all sequences of a batch, so that long ones fit in memory
EVALUATED = 250  # sequences at once, if they are short
ANSWERS_AT_ONCE = 2**28  # numbers of the answers at every step, 1 GiB: vocabularies are large


def measure(
    model: nn.Module,
    dataset: Dataset,
    batch: int = EVALUATED,
    *,
    facts: Task | None = None,
    carry: bool = False,
) -> Evaluation:
    """Return loss, scores and spike rates of a model in eval mode on a whole data set.

    At most `batch` sequences at once; fewer if they are long.

    Parameters
    ----------
    model
        A `Network`, or another module for which facts are given; on the device it is on.
    dataset
        What is read, in batches.
    batch
        Sequences at once.
    facts
        Of the data; a regression is measured in units of its labels by their `target`.
    carry
        Each sequence goes on where the one before it ended, as one long one: pieces of a stream, of
        a causal network that answers at each step.

    Raises
    ------
    InputError
        For data without labels, with labels that are no classes of the model, or at every step
        where the model answers once (or the reverse); for inputs that the model does not take;
        with `carry` for data that are no stream, and models that carry no states.
    """
    whole("measure batch", batch, 1)
    tally = tally_of(model, dataset, facts, batch, carry=carry)
    return tally.result(f"{dataset.name}:{dataset.split}")


def tally_of(
    model: nn.Module,
    dataset: Dataset,
    facts: Task | None = None,
    batch: int = EVALUATED,
    workers: int = 0,
    carry: bool = False,
    cut: Callable[[slice], Batch] | None = None,
) -> Tally:
    """Return the sums of `measure`.

    `workers` threads load batches in the background, unless `cut` makes them on the device.
    """
    if carry:
        check_stream(dataset)
        if not records(model):
            got = type(model).__name__
            raise InputError("measure with carried states", expected="a Network", got=got)
    outputs = _check_measured(model, dataset, facts)
    loss, scorer = judged(dataset, outputs, facts)
    size = 1 if carry else at_once(dataset.kind, dataset.shape[1], outputs, batch)
    spans, device = _spans(len(dataset), size), device_at(model)
    threads = 0 if cut else threads_for(device, workers)
    load = cut or (lambda span: pinned(batch_of(dataset.take(span)), device))
    batches = ahead(load, spans, threads)
    return tallied(model, batches, loss, scorer, carry)


def _spans(samples: int, size: int) -> Iterator[slice]:
    return (slice(start, start + size) for start in range(0, samples, size))


def at_once(kind: str, steps: int, classes: int, batch: int = EVALUATED) -> int:
    """Return how many sequences of a task are answered at once, at most `batch`, at least one."""
    size = min(batch, STEPS_AT_ONCE // steps)
    if kind in EVERY_STEP_KINDS:
        size = min(size, ANSWERS_AT_ONCE // (steps * classes))
    return max(1, size)


def judged(dataset: Dataset, outputs: int, facts: Task | None) -> tuple[Loss, Scorer]:
    """Return loss and scorer of a data set whose answers have so many numbers."""
    target = None if facts is None else facts.target
    scorer = Scorer(dataset.kind, outputs, dataset.class_names, target)
    return Loss(dataset.kind, target=target), scorer


def _check_measured(model: nn.Module, dataset: Dataset, facts: Task | None) -> int:
    """Return how many numbers an answer has; raise where the data do not fit the model."""
    where = f"data set {dataset.name}:{dataset.split}"
    if not dataset.labeled:
        raise InputError(f"{where} labels", expected="a class for one sample at least", got="none")
    config: NetworkConfig | None = getattr(model, "config", None)  # also of a compiled network
    if not isinstance(config, NetworkConfig):
        if facts is None:
            raise InputError("measure model", expected="a Network", got=type(model).__name__)
        return facts.classes
    if bool(dataset.vocabulary) != bool(config.vocabulary) or dataset.vocabulary > max(
        config.vocabulary, 0
    ):
        expected = f"{config.vocabulary} tokens" if config.vocabulary else "quantities, not tokens"
        got = f"{dataset.vocabulary} tokens" if dataset.vocabulary else "quantities"
        raise InputError(where, expected=expected, got=got)
    if dataset.pairs != (config.readout == PAIR):
        expected = "pairs" if config.readout == PAIR else "single sequences"
        raise InputError(where, expected=expected, got="pairs" if dataset.pairs else "single ones")
    steps = dataset.kind in EVERY_STEP_KINDS
    if steps != (config.readout == EVERY_STEP):
        kinds = ("a label a sample", "a label at every step")
        raise InputError(f"{where} labels", expected=kinds[not steps], got=kinds[steps])
    _check_labels(f"{where} labels", dataset, config.classes)
    return config.classes


def _check_labels(where: str, dataset: Dataset, outputs: int) -> None:
    if dataset.kind in (CLASSIFICATION, STEP_CLASSIFICATION):
        most = int(dataset.labels.max())
        if most >= outputs:
            expected = f"classes 0 to {outputs - 1}"
            raise InputError(where, expected=expected, got=str(most))
    elif dataset.kind != NEXT_STEP and dataset.labels.shape[-1] != outputs:
        got = str(dataset.labels.shape[-1])
        raise InputError(where, expected=f"{outputs} numbers each", got=got)


def score(logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, int, int]:
    """Return the mean cross entropy, how many answers are right, and how many were asked for.

    Logits are (..., C) and labels (...); a label `NOTHING` asks for no answer.
    """
    loss = Loss(CLASSIFICATION)
    return loss(logits, labels)[0], loss.right(logits, labels), loss.asked(labels)


def evaluate(
    run: str | Path,
    split: str = "test",
    *,
    limit: int | None = None,
    root: Path | None = None,
    carry: bool | None = None,
) -> Evaluation:
    """Return what a trained network reaches on a part of its data set.

    Parameters
    ----------
    run
        Run folder, or the name of a published checkpoint.
    split
        ``"test"``, ``"train"`` or another part that the data set has. The trainer never reads the
        test part; this does.
    limit
        Only the first so many sequences.
    root
        Folder of the data sets; see `neurossm_models.data.data_root`.
    carry
        As of `measure`; None: as the run was measured while it was trained.
    """
    model, recipe = load_model(run)
    count = "" if limit is None else f":{limit}"
    facts = load_facts(run)
    dataset = load(f"{recipe.data.title}:{split}{count}", root, facts=own_facts(recipe, facts))
    carry = recipe.train.carry if carry is None else carry
    return measure(model, dataset, facts=facts, carry=carry)


def load_facts(run: str | Path) -> Task:
    """Return the facts of the data that a run was trained on.

    Raises
    ------
    InputError
        If there is no such run.
    FormatError
        If the facts of data of one's own are missing or damaged.
    """
    folder = run_folder(run)
    return facts_of(load_recipe(folder / "recipe.toml"), folder)


def facts_of(recipe: Recipe, folder: Path) -> Task:
    """Return the facts of the data of a recipe; those of one's own lie in the run's folder."""
    if recipe.data.name:
        return task(recipe.data.name)
    return read_facts(folder / FACTS)


def read_facts(path: Path) -> Task:
    """Return the facts in a file that a run wrote; `FormatError` with its name if it holds none."""
    try:
        return task_from_json(read_text(path))
    except FormatError as error:
        where = f"{path} {error.where}" if str(path) not in error.where else error.where
        remedy = "it belongs to the run, beside recipe.toml"
        expected, got = error.expected, error.got
        raise FormatError(where, expected=expected, got=got, remedy=remedy) from None


def own_facts(recipe: Recipe, facts: Task) -> Task | None:
    """Return the facts that `load` takes: those of data of one's own."""
    return facts if recipe.data.path else None


def load_model(run: str | Path) -> tuple[Any, Recipe]:
    """Return the best network of a run, in eval mode, and its recipe.

    The network is a `Network`, or what the function of a recipe's ``[model] module`` makes: then
    its file runs.

    Parameters
    ----------
    run
        Run folder, or the name of a published checkpoint.

    Raises
    ------
    InputError
        If there is no such run.
    FormatError
        If its weights are damaged or do not belong to its recipe.
    """
    folder = run_folder(run)
    recipe = load_recipe(folder / "recipe.toml")
    path = folder / "weights.safetensors"
    weights, _ = load_tensors(path, bare=True)
    if isinstance(recipe.model, ModuleConfig):
        model = built(recipe.model, facts_of(recipe, folder))
        load_weights(model, weights, str(path))
        return model.eval(), recipe
    found, least = sum(tensor.numel() for tensor in weights.values()), recipe.model.least_parameters
    if found < least:  # before a network is made that takes all memory
        remedy = "the weights and the recipe beside them do not belong together"
        expected = f"at least {least} numbers, for the network of recipe.toml"
        raise FormatError(str(path), expected=expected, got=str(found), remedy=remedy)
    model = Network(recipe.model)
    load_weights(model, weights, str(path))
    return model.eval(), recipe


def load_same(run: str | Path, config: NetworkConfig) -> Network:
    """Return the network of a run that is the one of a recipe, in eval mode.

    Dropout may differ: it is no part of what was trained.

    Raises
    ------
    InputError
        If there is no such run, or its network has another configuration; names the setting.
    FormatError
        If its weights are damaged or do not belong to its recipe.
    """
    model, trained = load_model(run)
    if not isinstance(model, Network):
        got = f"the module of {str(run)!r}"
        raise InputError("recipe [model]", expected="a network of a family", got=got)
    for field in dataclasses.fields(config):
        if field.name == "dropout":
            continue
        ours, theirs = getattr(config, field.name), getattr(trained.model, field.name, None)
        if ours != theirs:
            raise InputError(
                f"recipe [model] {field.name}",
                expected=f"{theirs!r}, as of the run {str(run)!r}",
                got=repr(ours),
                remedy="train on with the recipe that the run was trained with",
            )
    return model


def network_of(recipe: Recipe, facts: Task) -> nn.Module:
    """Return the network that a recipe starts with: fresh, or with the weights of another run.

    Raises
    ------
    InputError
        If there is no such run, or its network has another configuration; names the setting.
    FormatError
        If its weights are damaged or do not belong to its recipe, or are not those of the module.
    """
    config = recipe.train
    start = config.start if not recipe.finetune else ""
    if isinstance(recipe.model, ModuleConfig):
        module = built(recipe.model, facts)
        if start:
            _check_start(start)
            weights = load_model(start)[0].state_dict()
            load_weights(module, weights, f"recipe [train] start {start!r}")
        return module
    model = Network(recipe.model)
    if start:
        _check_start(start)
        model.load_state_dict(load_same(start, recipe.model).state_dict())
    return model.use(ssm=config.ssm, neuron=config.neuron)


def kept_in_start(recipe: Recipe) -> tuple[str, ...]:
    """Return the layers whose zeros stay, of the run that a recipe starts from."""
    start = recipe.finetune.run if recipe.finetune else recipe.train.start
    return kept_layers(run_folder(start)) if start else ()


def _check_start(start: str) -> None:
    try:
        run_folder(start)
    except InputError as error:
        raise InputError("recipe [train] start", expected=error.expected, got=error.got,
                         remedy=error.remedy) from None  # fmt: skip


def run_folder(run: str | Path) -> Path:
    """Return the folder of a run: the path itself if it holds one, else a published name."""
    check_path("run", run)
    for folder in (Path(run), CHECKPOINTS / str(run)):
        if (folder / "weights.safetensors").is_file() and (folder / "recipe.toml").is_file():
            return folder
    known = sorted(path.name for path in CHECKPOINTS.glob("*") if path.is_dir())
    expected = "a run folder or the name of a checkpoint"
    if known:
        expected += f" ({', '.join(known)})"
    remedy = nearest(run, known)
    raise InputError("run", expected=expected, got=repr(str(run)), remedy=remedy)
