"""Describes the inputs and outputs of a graph, in sentences and as plain values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from neurossm.errors import one_line

if TYPE_CHECKING:
    from neurossm.fixed import Scaling
    from neurossm.graph import Graph

LISTED = 10  # names of channels or classes


def interface_document(graph: Graph) -> dict[str, Any]:
    """Return the interface of a graph as plain values."""
    from neurossm.interface import Interface

    about = Interface.of(graph)
    return {
        "task": about.task,
        "readout": about.readout or None,
        "scaling": None if about.scaling is None else about.scaling.as_json(),
        "target": None if about.target is None else about.target.as_json(),
        "class_names": list(about.class_names),
        "channel_names": list(about.channel_names),
        "split": about.split or None,
    }


def interface_lines(graph: Graph) -> list[str]:
    """Return in sentences what data of one's own a graph was made for; none for other graphs."""
    from neurossm.interface import Interface

    about = Interface.of(graph)
    plain = about.task == "classification" and not about.class_names and not about.split
    if about.scaling is None and plain:
        return []
    channels = graph.nodes[graph.inputs[0]].out_channels
    tokens = graph.vocabularies.get(graph.inputs[0], 0)
    said = [f"input: {channels} channel{'s' * (channels > 1)}{names_text(about.channel_names)}"]
    if tokens:
        said = [f"input: {tokens:,} tokens"]
    if about.scaling is not None:
        said[0] += f"; {scaling_text(about.scaling)}"
    answer = f"task: {about.task}" + (f", readout {about.readout}" if about.readout else "")
    said.append(answer + names_text(about.class_names))
    if about.split:
        said += split_lines(about.split)
    return said


def scaling_text(scaling: Scaling) -> str:
    """Return in a sentence how real values become integers."""
    if scaling.is_identity:
        return f"integers as they are, of {scaling.bits} bit{'s' * (scaling.bits > 1)}"
    low, high = float(scaling.unit.min()), float(scaling.unit.max())
    unit = f"{low:.4g}" if low == high else f"{low:.4g} to {high:.4g} by channel"
    less = "" if not scaling.offset.any() else ", less an offset"
    return f"integers of {scaling.bits} bits in units of {unit}{less}"


def split_lines(split: str) -> list[str]:
    """Return in a sentence which parts are cut where data lack them; none where none are."""
    from neurossm_models.data.own.split import parse_split

    rule = parse_split(split)
    cut = [f"{share:g} for {name}" for name, share in (("valid", rule.valid), ("test", rule.test))
           if share]  # fmt: skip
    if not cut:
        return []
    by = {"label": ", each class alike", "group": ", no group torn apart"}.get(rule.by, "")
    return [f"missing parts are cut from the training part: {', '.join(cut)}; seed {rule.seed}{by}"]


def names_text(names: tuple[str, ...]) -> str:
    """Return the first names in brackets; empty where there are none."""
    if not names:
        return ""
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f" ({', '.join(one_line(name) for name in names[:LISTED])}{more})"
