"""Trained networks: loading one, and measuring it on a part of its data set."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from neurossm.errors import FormatError, InputError
from neurossm_models.arguments import check_path, check_whole
from neurossm_models.config import NetworkConfig, nearest
from neurossm_models.data.dataset import Dataset
from neurossm_models.data.labels import NOTHING
from neurossm_models.data.registry import load
from neurossm_models.network import Network
from neurossm_models.train.checkpoint import load_tensors, load_weights
from neurossm_models.train.recipe import Recipe, load_recipe

CHECKPOINTS = Path(__file__).parents[2] / "checkpoints"
STEPS_AT_ONCE = 200_000  # of all sequences of a batch, so that long ones fit in memory


@dataclass(frozen=True)
class Evaluation:
    """What a network reaches on one data set.

    Attributes
    ----------
    data
        What was measured on.
    count, correct
        Answers that were asked for, one a sequence, a pair or a step, and how many were right.
    accuracy
        ``correct / count``.
    loss
        Mean cross entropy, in nats.
    spike_rates
        Spikes per neuron and step, for each block.
    """

    data: str
    count: int
    correct: int
    accuracy: float
    loss: float
    spike_rates: tuple[float, ...]


@torch.no_grad()
def measure(model: Network, dataset: Dataset, batch: int = 250) -> Evaluation:
    """Return loss, accuracy and spike rates of a model in eval mode on a whole data set.

    At most `batch` sequences at once; fewer if they are long.

    Raises
    ------
    InputError
        For data without labels, with labels that are no classes of the model, or at every step
        where the model answers once (or the reverse); for inputs that the model does not take.
    """
    _check_measured(model, dataset)
    check_whole("measure batch", batch, 1)
    was_training = model.training
    model.eval()
    loss, correct = 0.0, 0
    rates = torch.zeros(model.config.layers, dtype=torch.float64)
    count = 0
    batch = max(1, min(batch, STEPS_AT_ONCE // dataset.inputs.shape[1]))
    for start in range(0, len(dataset), batch):
        part = dataset.take(slice(start, start + batch))
        x, lengths, labels = tensors(part)
        recording = model.record(x, lengths)
        mean, right, asked = score(recording.logits, labels)
        loss += float(mean) * asked if asked else 0.0  # the mean over none is no number
        correct, count = correct + right, count + asked
        rates += len(part) * torch.tensor(recording.rates, dtype=torch.float64)
    model.train(was_training)
    name = f"{dataset.name}:{dataset.split}"
    spikes = tuple((rates / len(dataset)).tolist())
    return Evaluation(name, count, correct, correct / count, loss / count, spikes)


def _check_measured(model: Network, dataset: Dataset) -> None:
    where = f"data set {dataset.name}:{dataset.split}"
    config: NetworkConfig | None = getattr(model, "config", None)  # also of a compiled network
    if config is None:
        raise InputError("measure model", expected="a Network", got=type(model).__name__)
    if bool(dataset.vocabulary) != bool(config.vocabulary) or dataset.vocabulary > max(
        config.vocabulary, 0
    ):
        expected = f"{config.vocabulary} tokens" if config.vocabulary else "quantities, not tokens"
        got = f"{dataset.vocabulary} tokens" if dataset.vocabulary else "quantities"
        raise InputError(where, expected=expected, got=got)
    if dataset.pairs != (config.readout == "pair"):
        expected = "pairs" if config.readout == "pair" else "single sequences"
        raise InputError(where, expected=expected, got="pairs" if dataset.pairs else "single ones")
    if not dataset.labeled:
        raise InputError(f"{where} labels", expected="a class for one sample at least", got="none")
    steps = dataset.labels.ndim == 2
    if steps != (config.readout == "sequence"):
        kinds = ("a label a sample", "a label at every step")
        raise InputError(f"{where} labels", expected=kinds[not steps], got=kinds[steps])
    most = int(dataset.labels.max())
    if most >= config.classes:
        expected = f"classes 0 to {config.classes - 1}"
        raise InputError(f"{where} labels", expected=expected, got=str(most))


def tensors(dataset: Dataset) -> tuple[torch.Tensor, torch.Tensor | None, torch.Tensor]:
    """Return what `Network` takes, the lengths (None: all steps count), and the labels.

    Values are (n, L, F), tokens (n, L); pairs are 2 n rows, those of a pair one after the other.
    Padding that no sequence needs is cut off.
    """
    inputs, labels = dataset.inputs, torch.tensor(dataset.labels, dtype=torch.int64)
    lengths = None
    if dataset.lengths is not None:
        lengths = torch.tensor(dataset.lengths.reshape(-1))
        longest = int(lengths.max())
        inputs, labels = inputs[:, :longest], labels[:, :longest] if labels.ndim == 2 else labels
    if not dataset.vocabulary:
        return torch.tensor(inputs) * dataset.scale, lengths, labels
    tokens = torch.tensor(inputs, dtype=torch.int64).transpose(1, 2)
    return tokens.reshape(-1, tokens.shape[2]), lengths, labels


def score(logits: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, int, int]:
    """Return the mean cross entropy, how many answers are right, and how many were asked for.

    Logits are (..., C) and labels (...); a label `NOTHING` asks for no answer.
    """
    logits, labels = logits.flatten(0, -2), labels.flatten()
    loss = cross_entropy(logits, labels, ignore_index=NOTHING)
    right = int((logits.argmax(1) == labels).sum())
    return loss, right, int((labels != NOTHING).sum())


def evaluate(
    run: str | Path, split: str = "test", *, limit: int | None = None, root: Path | None = None
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
    """
    model, recipe = load_model(run)
    count = "" if limit is None else f":{limit}"
    return measure(model, load(f"{recipe.data.name}:{split}{count}", root))


def load_model(run: str | Path) -> tuple[Network, Recipe]:
    """Return the best network of a run, in eval mode, and its recipe.

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
    remedy = nearest(str(run), known)
    raise InputError("run", expected=expected, got=repr(str(run)), remedy=remedy)
