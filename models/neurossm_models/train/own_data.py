"""Your own data in a run: their name, their learned facts, and that these do not change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from neurossm.errors import InputError, one_line
from neurossm.fixed.scaling import MOST_BITS
from neurossm_models.data.own import is_own, learn, parse_own, task_to_json
from neurossm_models.data.registry import names, splits
from neurossm_models.data.sets import SOURCES
from neurossm_models.data.task import Task
from neurossm_models.train.evaluation import load_facts, read_facts
from neurossm_models.train.recipe import Recipe
from neurossm_models.train.records import FACTS

_MOST_NAMES = 8
_SCALINGS = ("scale", "scaling", "target")


def data_changes(spec: str) -> list[str]:
    """Return the changes to a recipe by which it learns the data that a text names.

    Parameters
    ----------
    spec
        Data of one's own, or a registered name; with ``:train`` and ``:N`` if wanted.

    Raises
    ------
    InputError
        For another part, and for a name that there is not.
    """
    if is_own(spec):
        found = parse_own(spec)
        _check_part(spec, found.split)
        source = f"{found.scheme}:{found.source}" if found.scheme else found.source
        limit = [f"data.limit={found.count}"] if found.count else []
        return [f"data.path={json.dumps(source)}", *limit]
    name, *rest = spec.split(":")
    if name not in names():
        expected = f"a file, a folder, or one of {', '.join(names())}"
        raise InputError(f"--data {spec}", expected=expected, got="none there")
    _check_part(spec, rest[0] if rest else "")
    valid = 0 if "valid" in splits(name) else SOURCES[name].valid or 1000
    limit = [f"data.limit={rest[1]}"] if rest[1:] else []
    return [f"data.name={name}", f"data.valid={valid}", *limit]


def _check_part(spec: str, part: str) -> None:
    if part not in ("", "train"):
        remedy = "leave it out: parts that are missing are cut off, see [data] valid and test"
        raise InputError(f"--data {spec}", expected="the training part", got=part, remedy=remedy)


def facts_for(recipe: Recipe) -> Task | None:
    """Return the facts of data of one's own, from a pass over the training part; else None.

    Quantization-aware training keeps those of the run that it starts from.
    """
    data = recipe.data
    if not data.path:
        return None
    _check_path(data.path)
    if recipe.finetune is not None:
        return load_facts(recipe.finetune.run)
    count = f":{data.limit}" if data.limit else ""
    if not 1 <= data.bits <= MOST_BITS:
        expected = f"1 to {MOST_BITS}"
        raise InputError("recipe [data] bits", expected=expected, got=str(data.bits))
    return learn(
        f"{data.path}:train{count}", task=data.task, bits=data.bits, per_channel=data.per_channel,
        normalize=data.normalize, valid=data.valid, test=data.test, seed=data.split_seed,
        by=data.split_by,
    )  # fmt: skip


def _check_path(path: str) -> None:
    """Raise `InputError` unless this names data of one's own, without a part of them."""
    where = "recipe [data] path"
    if not is_own(path):
        name = path.partition(":")[0]
        remedy = f"data.name={name} for a registered one" if name in names() else ""
        raise InputError(where, expected="a file or a folder", got=repr(path), remedy=remedy)
    found = parse_own(path)
    if found.split or found.count:
        remedy = "leave it out; data.limit says how many to train on"
        raise InputError(where, expected="data without a part", got=repr(path), remedy=remedy)


def check_same_facts(folder: Path, facts: Task) -> None:
    """Raise `InputError` if the data of a run are not what they were; names the fact."""
    path = folder / FACTS
    before = json.loads(task_to_json(read_facts(path)))
    now = json.loads(task_to_json(facts))
    for name in sorted(now, key=lambda name: name in _SCALINGS):  # which follow from the others
        value = now[name]
        if before.get(name) != value:
            raise InputError(
                f"{path} {name}", expected=_short(before.get(name)), got=_short(value),
                remedy="the data changed: resume with those it was started with, or start anew",
            )  # fmt: skip


def described(facts: Task, training: int, valid: int) -> str:
    """Return in a few lines what was learned of data."""
    return "\n".join(
        [
            f"data: {facts.kind}, {_inputs(facts)}, {_answers(facts)}",
            f"{training:,} sequences to train, {valid:,} to choose the best epoch, of at most"
            f" {facts.steps:,} steps" + (f"; split {facts.split}" if facts.split else ""),
            *_scaling(facts),
        ]
    )


def _inputs(facts: Task) -> str:
    if facts.vocabulary:
        return f"{facts.vocabulary} tokens"
    names = f" ({_named(facts.channel_names)})" if facts.channel_names else ""
    return f"{facts.features} channel{'s' if facts.features > 1 else ''}{names}"


def _answers(facts: Task) -> str:
    if facts.target is not None or (facts.kind == "next-step" and not facts.vocabulary):
        return f"{facts.classes} number{'s' if facts.classes > 1 else ''} per prediction"
    what = "labels" if facts.kind == "multilabel" else "classes"
    names = f" ({_named(facts.class_names)})" if facts.class_names else ""
    return f"{facts.classes} {what}{names}"


def _scaling(facts: Task) -> list[str]:
    scaling = facts.scaling
    if scaling is None:
        return []
    if scaling.is_identity:
        return [f"whole numbers stay as they are, at most {scaling.largest}"]
    low, high = float(scaling.unit.min()), float(scaling.unit.max())
    unit = f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g}, one per channel"
    return [
        f"one unit of the input is {unit}; {scaling.bits} bits, which {scaling.largest} units fill"
    ]


def _named(all_names: tuple[str, ...]) -> str:
    more = ", ..." if len(all_names) > _MOST_NAMES else ""
    return ", ".join(one_line(name) for name in all_names[:_MOST_NAMES]) + more


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 60 else text[:57] + "..."
