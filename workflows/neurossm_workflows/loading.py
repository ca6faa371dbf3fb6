"""Loads graphs and data by name: a path or a specification."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neurossm.arguments import instance
from neurossm.errors import InputError, one_line
from neurossm.fixed.scaling import MOST_BITS
from neurossm.interface import Interface
from neurossm_workflows.facts import facts_of, unit_of
from neurossm_workflows.listener import QUIET, Listener

if TYPE_CHECKING:
    from neurossm.graph import Graph
    from neurossm_models.data import Dataset

LISTED = 10  # names of classes
SPIKES = (
    "for real numbers import the network with --input BITS:FRAC, such as --input 12:10; or make"
    " spikes of them"
)


def opened(graph: Graph | str | Path) -> Graph:
    """Return a graph that is given as itself or as its file; raises as `neurossm.load`."""
    from neurossm.graph import Graph
    from neurossm.store import load

    if isinstance(graph, str | Path):
        return load(graph)
    return instance("graph", graph, Graph, remedy="give it, or the path of its file")


def load_data(
    spec: str, data_dir: str = "", graph: Graph | None = None, listener: Listener = QUIET
) -> Dataset:
    """Return the data of a specification, without padding; what is large is read on demand.

    Data of one's own become integers, classes and parts as the graph says: by what training
    learned, where it was trained on data of one's own; else integers are in the unit of the
    graph's input, and real numbers are divided by it.
    """
    from neurossm_models.data import is_own, load

    root = data_dir or None
    if graph is None or not is_own(spec):
        return _with_labels_that_fit(load(spec, root).trimmed(), graph, listener)
    about = Interface.of(graph)
    facts = facts_of(graph)
    if facts is not None:
        data = load(spec, root, facts=facts, say=listener.note).trimmed()
        return _all_parts_said(data, graph, listener)
    unit, tokens = unit_of(graph)
    out = graph.nodes[graph.inputs[0]].out if graph.inputs else None
    spikes = out is not None and out.is_spike
    try:
        data = load(
            spec, root, unit=None if spikes else unit, vocabulary=tokens,
            bits=MOST_BITS if out is None or spikes else out.bits - 1,
            kind=about.task if "task" in graph.meta else "", class_names=about.class_names,
            say=listener.note,
        ).trimmed()  # fmt: skip
    except InputError as error:
        if spikes and error.where.endswith(": inputs") and not error.got.startswith("shape"):
            raise InputError(error.where, expected=f"{error.expected} for an input of spikes",
                             got=error.got, remedy=SPIKES) from None  # fmt: skip
        raise
    if data.class_names and not about.class_names and data.labeled:
        numbered = _by_number(data, graph)
        if numbered is not None:
            return numbered
        names = ", ".join(one_line(name) for name in data.class_names[:LISTED])
        listener.note(f"labels of data {data.name!r} are texts: the channels of the output are"
                      f" taken for {names}, in this order")  # fmt: skip
    return data


def _by_number(data: Dataset, graph: Graph) -> Dataset | None:
    """Return data whose classes are the whole numbers that their texts say, as channels; or None.

    A table of text, such as a CSV file, has numbers as texts; a network that names no classes
    counts them from 0, whether all are in the table or not.
    """
    from neurossm_models.data.labels import CLASSIFICATION, STEP_CLASSIFICATION

    names = data.class_names
    if data.kind not in (CLASSIFICATION, STEP_CLASSIFICATION) or not graph.outputs:
        return None
    if not all(name.isascii() and name.isdecimal() for name in names):
        return None
    numbers = np.array([int(name[:9]) if len(name) < 10 else 2**31 - 1 for name in names])
    if numbers.max() >= graph.nodes[graph.outputs[0]].out_channels:
        return None
    labels = np.where(data.labels >= 0, numbers[np.maximum(data.labels, 0)], data.labels)
    return replace(data, labels=labels, class_names=())


def _all_parts_said(data: Dataset, graph: Graph, listener: Listener) -> Dataset:
    """Return the data; say where they are training and test part together."""
    if not data.split and data.name == graph.meta.get("data") and Interface.of(graph).split:
        listener.note(f"data {data.name!r}: all of it, training part too; {data.name}:test is what"
                      " training never saw")  # fmt: skip
    return data


def called(spec: str) -> str:
    """Return what data of one's own are called: by their file, folder or function."""
    from neurossm_models.data.own import parse_own

    found = parse_own(spec)
    if found.scheme == "py":
        return found.source.replace(":", "/")
    if found.scheme:
        return f"{found.scheme}/{found.source}"
    path = Path(found.source)
    return path.name + "/" * path.is_dir()


def _with_labels_that_fit(data: Dataset, graph: Graph | None, listener: Listener) -> Dataset:
    """Return data without labels, and say so, where the output has fewer channels than classes.

    Inputs of a built-in task serve a network of another task too: its spikes can be counted.
    """
    if graph is None or data.labels.ndim != 1 or not graph.outputs:
        return data
    classes, most = graph.nodes[graph.outputs[0]].out_channels, int(data.labels.max())
    if most < classes:
        return data
    listener.note(f"labels of data {data.name!r} go to {most}, the output has {classes}"
                  f" channel{'s' * (classes > 1)}: used without labels")  # fmt: skip
    return replace(data, labels=np.full(len(data), -1))
