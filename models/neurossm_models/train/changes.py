"""Changes of a recipe: ``--set section.key=value``, and old names of keys."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Sequence
from typing import Any

from neurossm.deprecation import deprecated
from neurossm.errors import InputError, NeurossmError
from neurossm_models.arguments import check_choice
from neurossm_models.families import FAMILIES
from neurossm_models.train.finetune_config import FinetuneConfig
from neurossm_models.train.modules import ModuleConfig
from neurossm_models.train.sections import DataConfig, TrainConfig

_DEFAULT_FAMILY = "binary-s4d"
# section and old name of a key to its name of today
RENAMED = {("data", "held_out"): "valid", ("finetune", "message_bits"): "activation_bits"}


def renamed_keys(tables: dict[str, Any], path: str, stored: bool) -> None:
    """Give keys of a recipe their names of today, in place.

    Parameters
    ----------
    tables
        The recipe's.
    path
        Its file, for the warning.
    stored
        Whether a run wrote it: then nobody is told.

    Raises
    ------
    InputError
        If a key is there by both names.
    """
    for (section, old), new in RENAMED.items():
        keys = tables.get(section, {})
        if not isinstance(keys, dict) or old not in keys:
            continue
        if new in keys:
            raise InputError(f"{path} [{section}] has {new} twice: {old} is its old name",
                             remedy=f"leave out {old}")  # fmt: skip
        if not stored:
            deprecated(f"{path} [{section}] {old}", new, stacklevel=4)
        tables[section] = {new if k == old else k: v for k, v in keys.items()}


def renamed_text(text: str) -> str:
    """Return a recipe that a run wrote, with its keys by their names of today."""
    for (_, old), new in RENAMED.items():
        text = text.replace(f"\n{old} = ", f"\n{new} = ")
    return text


def override_all(tables: dict[str, Any], overrides: list[str]) -> None:
    """Apply the changes; raise `InputError` with each of them that cannot be."""
    wrong = list[InputError]()
    for override in overrides:
        try:
            _override(tables, override)
        except InputError as error:
            wrong.append(error)
    if wrong:
        raise InputError.together(wrong)


def as_changed(error: InputError, path: str, changes: Sequence[str]) -> InputError:
    """Return an error that names the change where it, and not the file, says what is wrong."""
    named = {}
    for change in changes:
        section, _, key = change.partition("=")[0].strip().partition(".")
        if (section, key) != ("data", "path"):  # which --data says
            key = RENAMED.get((section, key), key)
            named[f"{path} [{section}] {key}"] = f"--set {change}"

    def renamed(one: NeurossmError) -> InputError:
        where, entry = one.where, re.search(r"\.\d+$", one.where)  # of a list
        field = where[: entry.start()] if entry else where
        if field in named:
            where = named[field] + (f": {field.split()[-1]}{entry[0]}" if entry else "")
        return InputError(where, expected=one.expected, got=one.got, remedy=one.remedy)

    return InputError.together([renamed(one) for one in (error, *error.others)])


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
    if (section, key) in RENAMED:
        new = RENAMED[section, key]
        deprecated(f"--set {section}.{key}", f"--set {section}.{new}")
        key = new
    sections = sections_of(where, tables)
    check_choice(f"{where}: section", section, list(sections))
    arguments = tables.get(section, {}).get("arguments", {})
    of_module = sections[section] is ModuleConfig and isinstance(arguments, dict)
    if of_module and key.startswith("arguments."):
        key, value = "arguments", {**arguments, key.partition(".")[2]: value}
    check_choice(f"{where}: key", key, [f.name for f in dataclasses.fields(sections[section])])
    tables.setdefault(section, {})[key] = value


def sections_of(where: str, tables: dict[str, Any]) -> dict[str, type]:
    """Return what each section becomes; the family decides which keys [model] has."""
    model = tables.get("model", {})
    family = model.get("family", _DEFAULT_FAMILY)
    check_choice(f"{where} [model] family", family, sorted(FAMILIES))
    kind: type = ModuleConfig if "module" in model else FAMILIES[family].config
    parts: dict[str, type] = {"data": DataConfig, "model": kind, "train": TrainConfig}
    return {**parts, "finetune": FinetuneConfig}
