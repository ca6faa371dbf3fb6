"""Recipes: one TOML file says everything about one training run."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neurossm.arguments import several, shown
from neurossm.errors import InputError, nearest
from neurossm.toml import read_toml
from neurossm.validation import checked
from neurossm_models.arguments import check_choice, check_path
from neurossm_models.config import NetworkConfig
from neurossm_models.data.dataset import Dataset
from neurossm_models.data.labels import MULTILABEL
from neurossm_models.data.own import SUFFIXES
from neurossm_models.data.registry import task
from neurossm_models.data.task import Task
from neurossm_models.families import FAMILIES
from neurossm_models.gpu.setting import check_states, is_triton
from neurossm_models.train.changes import as_changed, override_all, renamed_keys, sections_of
from neurossm_models.train.finetune_config import FinetuneConfig
from neurossm_models.train.fitting import asked_of_network, check_facts
from neurossm_models.train.modules import ModuleConfig
from neurossm_models.train.records import CHECKPOINT
from neurossm_models.train.sections import DataConfig, TrainConfig

_RECIPES = Path(__file__).parent.parent / "recipes"


@dataclass(frozen=True)
class Recipe:
    """Everything about one training run: data, network, training; what it fine-tunes, if it does.

    Raises
    ------
    InputError
        If the network does not fit a registered data set: tokens or values, readout, classes; or if
        a form is chosen for the layers of a module of one's own.
    """

    data: DataConfig
    model: NetworkConfig | ModuleConfig
    train: TrainConfig
    finetune: FinetuneConfig | None = None

    def __post_init__(self) -> None:
        if self.data.name:
            check_facts(self.model, self.data.title, task(self.data.name))
        if not isinstance(self.model, ModuleConfig) and is_triton(self.train.ssm):
            check_states(self.train.ssm, self.model.states, "[train] ssm")
        if isinstance(self.model, ModuleConfig):
            for key in ("ssm", "neuron"):
                if (form := getattr(self.train, key)) != "auto":
                    expected = "auto, as a module of one's own computes as it is written"
                    raise InputError(f"[train] {key}", expected=expected, got=repr(form))

    @property
    def network(self) -> NetworkConfig:
        """The configuration of a network of ours; `InputError` where the module is another one."""
        if isinstance(self.model, ModuleConfig):
            got = f"the module {self.model.module!r}"
            raise InputError("recipe [model]", expected="a network of a family", got=got)
        return self.model


_EXAMPLE = "binary-s4d-smnist"


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
    data = path.suffix.lower() in SUFFIXES
    remedy = f"to train on these data: neurossm train FAMILY --data {path}" if data else ""
    tables = read_toml(path, "a TOML recipe", InputError, remedy)
    for section, table in tables.items():
        if not isinstance(table, dict):
            raise InputError(f"{path} [{section}]", expected="a table", got=shown(table))
    renamed_keys(tables, str(path), _of_run(path))
    changes = several("overrides", overrides or [], "'section.key=value'")
    override_all(tables, changes)
    try:
        return _recipe(str(path), tables, facts)
    except InputError as error:
        raise as_changed(error, str(path), changes) from None


def _of_run(path: Path) -> bool:
    """Say whether a run or a checkpoint wrote this recipe, not a person."""
    beside = ("weights.safetensors", CHECKPOINT)
    return path.name == "recipe.toml" and any((path.parent / name).exists() for name in beside)


def _recipe(where: str, tables: dict[str, Any], facts: Task | None) -> Recipe:
    parts, facts = _parts(where, tables, facts)
    try:
        recipe = Recipe(**parts)
        if facts is not None:
            check_facts(recipe.model, recipe.data.title, facts)
        return recipe
    except InputError as error:
        raise error.inside(f"{where} ") from None


def _parts(
    where: str, tables: dict[str, Any], facts: Task | None
) -> tuple[dict[str, Any], Task | None]:
    """Return the sections, [data] first, and the facts of a data set by its name.

    Raises
    ------
    InputError
        With all that is wrong in any of them.
    """
    sections, wrong = sections_of(where, tables), list[InputError]()

    def read(section: str) -> Any:
        try:
            return _section(f"{where} [{section}]", sections[section], tables.get(section, {}))
        except InputError as error:
            wrong.append(error)
            return None

    for section in tables:
        try:
            check_choice(f"{where}: section", section, list(sections))
        except InputError as error:
            wrong.append(error)
    parts = {"data": read("data")}
    data = parts["data"]
    facts = task(data.name) if data is not None and data.name else facts
    if facts is not None and "module" not in tables.get("model", {}):
        tables["model"] = {**asked_of_network(facts), **tables.get("model", {})}
    for section in sections:
        if section not in parts and (section != "finetune" or section in tables):
            parts[section] = read(section)
    if wrong:
        raise InputError.together(wrong)
    return parts, facts


def check_fits(recipe: Recipe, dataset: Dataset) -> None:
    """Raise `InputError` if this copy of the data has tokens or labels that the network lacks."""
    if isinstance(recipe.model, ModuleConfig) or dataset.labels.dtype.kind == "f":
        return
    multilabel = dataset.kind == MULTILABEL
    classes = dataset.labels.shape[-1] if multilabel else int(dataset.labels.max()) + 1
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
    # a run may be called like its family: no folder is a recipe, so the name is that of ours
    if name not in known and name not in FAMILIES and (path / "recipe.toml").is_file():
        remedy = f"it is a run: {path}/recipe.toml is its recipe, and --out {path} --resume goes on"
        raise InputError("recipe", expected="a file", got=f"the folder {path}", remedy=remedy)
    if name in known:
        return _RECIPES / f"{name}.toml"
    if name in FAMILIES:
        return _RECIPES / "own" / f"{name}.toml"
    family = next((one for one in FAMILIES if name.startswith(f"{one}-")), "")
    if family:
        expected = f"a file, {family}, or one of {', '.join(recipe_names(family))}"
    else:
        expected = f"a file, a family ({', '.join(FAMILIES)}), or a recipe, such as {_EXAMPLE}"
    remedy = nearest(name, [*known, *FAMILIES], "recipes are called FAMILY-DATA")
    raise InputError("recipe", expected=expected, got=repr(str(name_or_path)), remedy=remedy)


def recipe_names(family: str = "") -> list[str]:
    """Return the names of the recipes that come with the package, or of those of a family."""
    names = sorted(path.stem for path in _RECIPES.glob("*.toml"))
    return [name for name in names if name.startswith(f"{family}-" if family else "")]


def to_toml(recipe: Recipe) -> str:
    """Return the recipe as TOML with every key written out that applies to its data."""
    lines = []
    for section, table in dataclasses.asdict(recipe).items():
        if table is None:
            continue
        applying = {"data": recipe.data.applying, "train": recipe.train.applying}.get(section)
        table = table if applying is None else applying()
        lines.append(f"[{section}]")
        nested = {key: value for key, value in table.items() if isinstance(value, dict)}
        for key, value in table.items():
            if key not in nested:
                lines.append(f"{key} = {_toml(value)}")
        lines.append("")
        for key, inner in nested.items():
            lines += [f"[{section}.{key}]", *(f"{k} = {_toml(v)}" for k, v in inner.items()), ""]
    return "\n".join(lines)


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml, value))}]"
    # a JSON string is a TOML one, with the same escapes
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _section(where: str, kind: type, table: dict[str, Any]) -> Any:
    values = checked(table, kind, f"{where} ")
    try:
        return kind(**values)
    except InputError as error:
        place = f"{where} {error.where.partition(' ')[2]}".rstrip()
        raise InputError(place, expected=error.expected, got=error.got, remedy=error.remedy,
                         others=error.others) from None  # fmt: skip
