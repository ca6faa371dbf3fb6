"""Recipes: one TOML file says everything about one training run."""

from __future__ import annotations

import dataclasses
import json
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from neurossm.errors import InputError
from neurossm_models.arguments import check_path
from neurossm_models.config import (
    EVERY_STEP,
    FAMILIES,
    NetworkConfig,
    check_choice,
    check_neuron_form,
    nearest,
)
from neurossm_models.data.dataset import Dataset
from neurossm_models.data.registry import names, splits
from neurossm_models.data.task import task
from neurossm_models.train.finetune_config import FinetuneConfig

_RECIPES = Path(__file__).parent.parent / "recipes"
_MOST_BYTES = 100_000
_MOST_DOTS = 64  # of a line: the time for a key in n parts grows with n squared
_LARGEST = 2**63
_LARGEST_FLOAT = 3.4e38


@dataclass(frozen=True)
class DataConfig:
    """Which data set is learned, and how much of its training part is held out.

    Attributes
    ----------
    name
        As in `neurossm_models.data.registry`.
    held_out
        Training sequences kept aside to choose the best epoch; 0: the data set's own validation
        part serves for that.
    split_seed
        Seed of the permutation that decides which.
    limit
        Use the first so many training sequences only; 0: all.
    """

    name: str
    held_out: int
    split_seed: int = 0
    limit: int = 0

    def __post_init__(self) -> None:
        check_choice("data name", self.name, names())
        least = 0 if "valid" in splits(self.name) else 1
        _at_least("data held_out", self.held_out, least)
        _at_least("data limit", self.limit, 0)


@dataclass(frozen=True)
class TrainConfig:
    """How a network is trained.

    Attributes
    ----------
    epochs, batch
        Passes over the training part (at most, see `steps`), sequences a step.
    lr, ssm_lr
        Largest learning rates: of everything, and of A, B and dt of the state space layers.
    weight_decay
        Of everything except A, B and dt.
    warmup
        In which part of the steps the learning rate rises linearly; a cosine to 0 follows. Below
        1: a fraction; from 1: steps.
    steps
        Length of the schedule of the learning rate; training ends with the epoch in which it ends,
        or after `epochs` if they are fewer. 0: as long as the epochs.
    clip
        Largest norm of the gradient; 0: not clipped.
    seed
        Decides initialization, order of the data and dropout.
    threads
        PyTorch threads; 0 leaves PyTorch's own choice. The sums, hence the bits, depend on it.
    save_every
        Steps between two checkpoints.
    start
        Run folder, or name of a checkpoint, whose weights it starts from; empty: fresh weights.
    ssm, neuron
        How sequences are computed; see `Network.use`. The forms agree within rounding, except for
        neuron ``"sdn"`` (or ``"sdn:FILE"``), whose spikes while training are those of a network.
    """

    epochs: int
    batch: int
    lr: float
    ssm_lr: float
    weight_decay: float = 0.0
    warmup: float = 0.1
    steps: int = 0
    clip: float = 0.0
    seed: int = 0
    threads: int = 1
    save_every: int = 200
    start: str = ""
    ssm: str = "auto"
    neuron: str = "auto"

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "save_every"):
            _at_least(f"train {name}", getattr(self, name), 1)
        for name in ("lr", "ssm_lr", "weight_decay", "warmup", "steps", "clip", "seed", "threads"):
            _at_least(f"train {name}", getattr(self, name), 0)
        check_neuron_form("train neuron", self.neuron)
        if self.warmup >= 1 and self.warmup != int(self.warmup):
            expected = "a fraction below 1, or a whole number of steps"
            raise InputError("train warmup", expected=expected, got=str(self.warmup))

    def whole_epochs(self, steps_per_epoch: int) -> int:
        """Return how many epochs are trained."""
        if not self.steps:
            return self.epochs
        return min(self.epochs, -(-self.steps // steps_per_epoch))


@dataclass(frozen=True)
class Recipe:
    """Everything about one training run: data, network, training; what it fine-tunes, if it does.

    Raises
    ------
    InputError
        If the network does not fit the data set: tokens or values, readout, classes.
    """

    data: DataConfig
    model: NetworkConfig
    train: TrainConfig
    finetune: FinetuneConfig | None = None

    def __post_init__(self) -> None:
        facts, model = task(self.data.name), self.model
        _for_data(self, "readout", facts.readout == model.readout, repr(facts.readout))
        tokens = "more than 0 (tokens)" if facts.vocabulary else "0 (values)"
        right = bool(facts.vocabulary) == bool(model.vocabulary)
        _for_data(self, "vocabulary", right, tokens)
        if not facts.vocabulary:
            _for_data(self, "in_features", model.in_features == 1, "1")
        if facts.readout != EVERY_STEP:
            right = model.classes >= facts.classes
            _for_data(self, "classes", right, f"at least {facts.classes}")


_DEFAULT_FAMILY = "binary-s4d"


def load_recipe(name_or_path: str | Path, overrides: list[str] | None = None) -> Recipe:
    """Return a recipe from a file, or one of ours by its name, with ``section.key=value`` changes.

    Raises
    ------
    InputError
        If there is no such recipe, it is not TOML, a section or key is unknown or missing, or a
        value has the wrong type or range; the message names the file and the nearest key.
    """
    path = recipe_path(name_or_path)
    tables = _tables(path)
    for section, table in tables.items():
        if not isinstance(table, dict):
            raise InputError(f"{path} [{section}]", expected="a table", got=_shown(table))
    if isinstance(overrides, str | dict):
        expected = "a list of 'section.key=value'"
        raise InputError("overrides", expected=expected, got=repr(overrides))
    for override in overrides or []:
        _override(tables, override)
    sections = _sections(str(path), tables)
    for section in tables:
        _check_key(str(path), section, list(sections), kind="section")
    parts: dict[str, Any] = {
        section: _section(f"{path} [{section}]", kind, tables.get(section, {}))
        for section, kind in sections.items()
        if section != "finetune" or section in tables
    }
    try:
        return Recipe(**parts)
    except InputError as error:
        where = f"{path} {error.where}"
        raise InputError(where, expected=error.expected, got=error.got) from None


def check_fits(recipe: Recipe, dataset: Dataset) -> None:
    """Raise `InputError` if this copy of the data has tokens or labels that the network lacks."""
    needed = {"vocabulary": dataset.vocabulary, "classes": int(dataset.labels.max()) + 1}
    for key, least in needed.items():
        have = getattr(recipe.model, key)
        if have < least:
            where = f"recipe [model] {key}"
            expected = f"at least {least} for this copy of {dataset.name}"
            remedy = f"--set model.{key}={least}"
            raise InputError(where, expected=expected, got=str(have), remedy=remedy)


def recipe_path(name_or_path: str | Path) -> Path:
    """Return the file of a recipe: the path itself if it exists, else one of ours by name."""
    check_path("recipe", name_or_path)
    path = Path(name_or_path)
    if path.is_file():
        return path
    name = str(name_or_path).removeprefix("recipes/").removesuffix(".toml")
    known = recipe_names()
    if name in known:
        return _RECIPES / f"{name}.toml"
    remedy = nearest(name, known)
    expected = "a file, or one of " + ", ".join(known)
    raise InputError("recipe", expected=expected, got=repr(str(name_or_path)), remedy=remedy)


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with the package."""
    return sorted(path.stem for path in _RECIPES.glob("*.toml"))


def to_toml(recipe: Recipe) -> str:
    """Return the recipe as TOML with every key written out."""
    lines = []
    for section, table in dataclasses.asdict(recipe).items():
        if table is None:
            continue
        lines.append(f"[{section}]")
        for key, value in table.items():
            lines.append(f"{key} = {_toml(value)}")
        lines.append("")
    return "\n".join(lines)


def _tables(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            got = f"more than {_MOST_BYTES} bytes"
        elif any(line.count(b".") > _MOST_DOTS for line in content.split(b"\n")):
            got = f"a line of more than {_MOST_DOTS} dots"
        else:
            return tomllib.loads(content.decode("utf-8"))
    except RecursionError:
        got = "values nested too deep"
    except (ValueError, OSError) as error:  # also a number of thousands of digits
        got = str(error)
    raise InputError(str(path), expected="a TOML recipe", got=got)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    # a JSON string is a TOML one, with the same escapes
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _override(tables: dict[str, Any], override: str) -> None:
    where = f"--set {override}"
    if not isinstance(override, str):
        raise InputError(where, expected="section.key=value", got=repr(override))
    target, equals, text = override.partition("=")
    section, dot, key = target.strip().partition(".")
    if not (equals and dot and key):
        raise InputError(where, expected="section.key=value", got=repr(override))
    try:
        value = tomllib.loads(f"value = {text.strip()}")["value"]
    except (ValueError, RecursionError):
        value = text.strip()
    sections = _sections(where, tables)
    if section not in sections:
        known = list(sections)
        expected = "a section of " + ", ".join(known)
        raise InputError(where, expected=expected, got=section, remedy=nearest(section, known))
    _check_key(where, key, [field.name for field in dataclasses.fields(sections[section])])
    tables.setdefault(section, {})[key] = value


def _sections(where: str, tables: dict[str, Any]) -> dict[str, type]:
    """Return what each section becomes; the family decides which keys [model] has."""
    family = tables.get("model", {}).get("family", _DEFAULT_FAMILY)
    check_choice(f"{where} [model] family", family, sorted(FAMILIES))
    parts: dict[str, type] = {"data": DataConfig, "model": FAMILIES[family], "train": TrainConfig}
    return {**parts, "finetune": FinetuneConfig}


def _section(where: str, kind: type, table: dict[str, Any]) -> Any:
    fields = {field.name: field for field in dataclasses.fields(kind)}
    hints = get_type_hints(kind)
    for key in table:
        _check_key(where, key, list(fields))
    for name, field in fields.items():
        if field.default is dataclasses.MISSING and name not in table:
            raise InputError(where, expected=f"key {name!r}", got="none")
    values = {key: _typed(f"{where} {key}", value, hints[key]) for key, value in table.items()}
    try:
        return kind(**values)
    except InputError as error:
        raise InputError(
            f"{where} {error.where.partition(' ')[2] or error.where}",
            expected=error.expected,
            got=error.got,
            remedy=error.remedy,
        ) from None


def _typed(where: str, value: Any, kind: type) -> Any:
    if type(value) is int and not -_LARGEST <= value < _LARGEST:
        raise InputError(where, expected="a number of 64 bits", got="a larger one")
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        wanted = {int: "a whole number", float: "a number", str: "a string", bool: "true or false"}
        raise InputError(where, expected=wanted[kind], got=_shown(value))
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(where, expected="a finite number", got=repr(value))
    if isinstance(value, float) and abs(value) > _LARGEST_FLOAT:  # PyTorch's default type
        raise InputError(where, expected="a number that 32 bits hold", got=repr(value))
    return value


def _shown(value: Any) -> str:
    try:
        return repr(value)
    except (ValueError, RecursionError):  # a number of thousands of digits inside, or many levels
        return f"a {type(value).__name__} that is too large to show"


def _check_key(where: str, key: str, known: list[str], kind: str = "key") -> None:
    if key not in known:
        expected = f"a {kind} of " + ", ".join(known)
        raise InputError(where, expected=expected, got=repr(key), remedy=nearest(key, known))


def _for_data(recipe: Recipe, key: str, right: bool, expected: str) -> None:
    if not right:
        got = repr(getattr(recipe.model, key))
        expected = f"{expected} for data {recipe.data.name!r}"
        raise InputError(f"[model] {key}", expected=expected, got=got)


def _at_least(where: str, value: float, low: float) -> None:
    if not value >= low:
        raise InputError(where, expected=f"at least {low}", got=str(value))
