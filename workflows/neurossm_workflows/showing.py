"""What ``neurossm data show`` reports about data, in sentences and as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neurossm.errors import InputError, one_line
from neurossm_workflows.describing import names_text, scaling_text, split_lines

if TYPE_CHECKING:
    from neurossm_models.data import Dataset, Task

LABELS = 3  # of a sample that has more
MOST_CLASSES = 30  # whose samples are counted


@dataclass(frozen=True)
class ShownData:
    """Data as they are taken.

    Attributes
    ----------
    facts
        What training would learn.
    parts
        Name of each part to its samples, as long as they need to be; none is in memory.
    missing
        Name of each other part to why there is none.
    listed
        Name of the part whose first samples are listed.
    columns, rows
        Those samples.
    """

    facts: Task
    parts: dict[str, Dataset]
    missing: dict[str, str]
    listed: str
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]

    @property
    def first(self) -> Dataset:
        """The first part."""
        return next(iter(self.parts.values()))

    def lines(self) -> list[str]:
        """Return what people read."""
        facts, first = self.facts, self.first
        channels = facts.features
        names = names_text(facts.channel_names)
        what = f"{channels} channel{'s' * (channels > 1)}{names}"
        if facts.vocabulary:
            what = f"{facts.vocabulary:,} tokens"
        source = "" if first.provenance == first.name else f"; {first.provenance}"
        said = [f"{first.name}: {facts.kind}, {what}{source}"]
        said += [f"{name}: {_extent(part)}{_classes(part, facts)}"
                 for name, part in self.parts.items()]  # fmt: skip
        said += [f"{name}: none; {why}" for name, why in self.missing.items()]
        if facts.scaling is not None:
            said.append(f"scale: {scaling_text(facts.scaling)}")
        if facts.target is not None:
            numbers = len(facts.target.unit)
            said.append(f"targets: {numbers} number{'s' * (numbers > 1)}, standardized: less the"
                        " mean, divided by the standard deviation")  # fmt: skip
        said.append(f"step: {'not known' if facts.dt is None else f'{facts.dt:g} s'}")
        if facts.split:
            said += split_lines(facts.split)
        return said


def shown_data(spec: str, task: str, samples: int, root: str | Path | None) -> ShownData:
    """Return what data are taken for; raises as `learn` and `load`."""
    from neurossm_models.data import is_own, learn, load
    from neurossm_models.data import task as task_of

    if not is_own(spec):
        data = load(spec, root)
        parts = {data.split: data}
        return _listed(task_of(data.name), parts, {}, samples)
    source = _base(spec)
    facts = learn(source, task)
    parts, missing = {"train": load(source, root, facts=facts, split="train")}, {}
    for name in ("valid", "test"):
        try:
            parts[name] = load(source, root, facts=facts, split=name)
        except InputError as error:  # a rule that cuts none, or samples that do not fit
            missing[name] = str(error)
    return _listed(facts, parts, missing, samples)


def _base(spec: str) -> str:
    """Return a specification without its part and count."""
    from neurossm_models.data.own import parse_own

    found = parse_own(spec)
    return f"{found.scheme}:{found.source}" if found.scheme else found.source


def _listed(
    facts: Task, parts: dict[str, Dataset], missing: dict[str, str], samples: int
) -> ShownData:
    name, data = next(iter(parts.items()))
    part = data.take(slice(samples)) if samples else None
    rows = [] if part is None else [_row(part, k, facts) for k in range(len(part))]
    columns = ("sample", "steps", "label", "lowest", "highest", "first values")
    return ShownData(facts, parts, missing, name, columns, tuple(rows))


def _row(part: Dataset, index: int, facts: Task) -> tuple[object, ...]:
    length = part.shape[1] if part.lengths is None else int(np.max(part.lengths[index]))
    values = part.inputs[index, :length]
    real = values if facts.scaling is None else facts.scaling.to_values(values)
    first = ", ".join(f"{value:.4g}" for value in np.ravel(real)[:3])
    return (index, length, _label(part.labels[index], facts), f"{real.min():.4g}",
            f"{real.max():.4g}", first)  # fmt: skip


def _label(label: Any, facts: Task) -> str:
    if facts.kind == "next-step":
        return "the next step"
    values = np.ravel(label)[:LABELS]
    if values.dtype.kind == "f":
        shown = ["none" if np.isnan(v) else f"{v:.4g}" for v in values]
    elif facts.class_names and facts.kind != "multilabel":
        shown = ["none" if v < 0 else facts.class_names[int(v)] for v in values]
    else:
        shown = ["none" if v < 0 else str(int(v)) for v in values]
    return ", ".join(shown) + (" ..." if np.size(label) > len(values) else "")


def _extent(part: Dataset) -> str:
    lengths = [part.shape[1]] if part.lengths is None else part.lengths
    low, high = int(np.min(lengths)), int(np.max(lengths))
    steps = f"{low:,} step{'s' * (low != 1)}" if low == high else f"{low:,} to {high:,} steps"
    return f"{len(part):,} sample{'s' * (len(part) != 1)} of {steps}"


def _classes(part: Dataset, facts: Task) -> str:
    if facts.kind != "classification" or part.labels.ndim != 1:
        return ""
    known = part.labels[part.labels >= 0]
    if not len(known):
        return ", no labels"
    counts = np.bincount(known, minlength=facts.classes)
    if len(counts) > MOST_CLASSES:
        return f", {np.count_nonzero(counts)} of {len(counts)} classes"
    names = facts.class_names or [str(k) for k in range(len(counts))]
    shown = (f"{one_line(name)} {n}" for name, n in zip(names, counts, strict=False))
    return "; " + ", ".join(shown)


def shown_document(found: ShownData) -> dict[str, Any]:
    """Return all of it as plain values."""
    facts = found.facts
    return {
        "name": found.first.name,
        "provenance": found.first.provenance,
        "task": facts.kind,
        "channels": facts.features,
        "channel_names": list(facts.channel_names),
        "vocabulary": facts.vocabulary,
        "classes": facts.classes,
        "class_names": list(facts.class_names),
        "longest": facts.steps,
        "dt": facts.dt,
        "split": facts.split or None,
        "scaling": None if facts.scaling is None else facts.scaling.as_json(),
        "target": None if facts.target is None else facts.target.as_json(),
        "parts": {name: {"samples": len(part), "steps": part.shape[1]}
                  for name, part in found.parts.items()},
        "missing": found.missing,
        "first": [dict(zip(found.columns, row, strict=True)) for row in found.rows],
    }  # fmt: skip
