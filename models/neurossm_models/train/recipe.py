"""Recipes: one TOML file says everything about one training run."""

from __future__ import annotations

import dataclasses
import json
import math
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_origin, get_type_hints

from neurossm.errors import InputError, nearest
from neurossm_models.arguments import check_path
from neurossm_models.config import FAMILIES, NetworkConfig, check_choice
from neurossm_models.data.dataset import Dataset
from neurossm_models.data.labels import MULTILABEL
from neurossm_models.data.own import SUFFIXES
from neurossm_models.data.task import Task, task
from neurossm_models.train.finetune_config import FinetuneConfig
from neurossm_models.train.fitting import asked_of_network, check_facts
from neurossm_models.train.modules import ModuleConfig
from neurossm_models.train.sections import DataConfig, TrainConfig

_RECIPES = Path(__file__).parent.parent / "recipes"
_MOST_BYTES = 100_000
_MOST_DOTS = 64  # of a line: the time for a key in n parts grows with n squared
_LARGEST = 2**63
_LARGEST_FLOAT = 3.4e38


@dataclass(frozen=True)
class Recipe:
    """Everything about one training run: data, network, training; what it fine-tunes, if it does.

    Raises
    ------
    InputError
        If the network does not fit a registered data set: tokens or values, readout, classes.
    """

    data: DataConfig
    model: NetworkConfig | ModuleConfig
    train: TrainConfig
    finetune: FinetuneConfig | None = None

    def __post_init__(self) -> None:
        if self.data.name:
            check_facts(self.model, self.data.title, task(self.data.name))

    @property
    def network(self) -> NetworkConfig:
        """The configuration of a network of ours; `InputError` where the module is another one."""
        if isinstance(self.model, ModuleConfig):
            got = f"the module {self.model.module!r}"
            raise InputError("recipe [model]", expected="a network of a family", got=got)
        return self.model


_DEFAULT_FAMILY = "binary-s4d"


def load_recipe(
    name_or_path: str | Path, overrides: list[str] | None = None, facts: Task | None = None
) -> Recipe:
    """Return a recipe from a file, or one of ours by its name, with ``section.key=value`` changes.

    Parameters
    ----------
    name_or_path
        A TOML file; the name of a recipe; or a family, whose recipe is for data of one's own.
    overrides
        The changes.
    facts
        Of data of one's own: inputs, classes, vocabulary and readout of the network are theirs
        where the recipe leaves them out, and must fit. None: they are not known yet.

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
    data = _section(f"{path} [data]", DataConfig, tables.get("data", {}))
    facts = task(data.name) if data.name else facts
    if facts is not None and "module" not in tables.get("model", {}):
        tables["model"] = {**asked_of_network(facts), **tables.get("model", {})}
    parts: dict[str, Any] = {
        section: _section(f"{path} [{section}]", kind, tables.get(section, {}))
        for section, kind in sections.items()
        if section != "finetune" or section in tables
    }
    try:
        recipe = Recipe(**parts)
        if facts is not None:
            check_facts(recipe.model, recipe.data.title, facts)
        return recipe
    except InputError as error:
        where = f"{path} {error.where}"
        raise InputError(where, expected=error.expected, got=error.got) from None


def check_fits(recipe: Recipe, dataset: Dataset) -> None:
    """Raise `InputError` if this copy of the data has tokens or labels that the network lacks."""
    if isinstance(recipe.model, ModuleConfig) or dataset.labels.dtype.kind == "f":
        return
    several = dataset.kind == MULTILABEL
    classes = dataset.labels.shape[-1] if several else int(dataset.labels.max()) + 1
    needed = {"vocabulary": dataset.vocabulary, "classes": classes}
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
    if name in FAMILIES:
        return _RECIPES / "own" / f"{name}.toml"
    remedy = nearest(name, [*known, *FAMILIES])
    expected = "a file, a family (" + ", ".join(FAMILIES) + "), or one of " + ", ".join(known)
    raise InputError("recipe", expected=expected, got=repr(str(name_or_path)), remedy=remedy)


def recipe_names() -> list[str]:
    """Return the names of the recipes that come with the package."""
    return sorted(path.stem for path in _RECIPES.glob("*.toml"))


def to_toml(recipe: Recipe) -> str:
    """Return the recipe as TOML with every key written out that applies to its data."""
    lines = []
    for section, table in dataclasses.asdict(recipe).items():
        if table is None:
            continue
        table = recipe.data.applying() if section == "data" else table
        lines.append(f"[{section}]")
        nested = {key: value for key, value in table.items() if isinstance(value, dict)}
        for key, value in table.items():
            if key not in nested:
                lines.append(f"{key} = {_toml(value)}")
        lines.append("")
        for key, inner in nested.items():
            lines += [f"[{section}.{key}]", *(f"{k} = {_toml(v)}" for k, v in inner.items()), ""]
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
    data = path.suffix.lower() in SUFFIXES
    remedy = f"to train on these data: neurossm train FAMILY --data {path}" if data else ""
    raise InputError(str(path), expected="a TOML recipe", got=got, remedy=remedy)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
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
    model = tables.get("model", {})
    family = model.get("family", _DEFAULT_FAMILY)
    check_choice(f"{where} [model] family", family, sorted(FAMILIES))
    kind: type = ModuleConfig if "module" in model else FAMILIES[family]
    parts: dict[str, type] = {"data": DataConfig, "model": kind, "train": TrainConfig}
    return {**parts, "finetune": FinetuneConfig}


def _section(where: str, kind: type, table: dict[str, Any]) -> Any:
    fields = {field.name: field for field in dataclasses.fields(kind)}
    hints = get_type_hints(kind)
    for key in table:
        _check_key(where, key, list(fields))
    for name, field in fields.items():
        optional = (field.default, field.default_factory) != (dataclasses.MISSING,) * 2
        if not optional and name not in table:
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
    if get_origin(kind) is dict:
        if not isinstance(value, dict):
            raise InputError(where, expected="a table", got=_shown(value))
        return value
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
