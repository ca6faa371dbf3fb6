"""Checks data against a graph: what it cannot take, and what it was not made for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from neurossm.arguments import shown
from neurossm.errors import InputError
from neurossm.fixed import whole_numbers
from neurossm.interface import Interface
from neurossm_workflows.facts import RECORDED, order_of, ours, said_order, unit_of
from neurossm_workflows.listener import QUIET, Listener
from neurossm_workflows.loading import load_data

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from neurossm.graph import Graph
    from neurossm_models.data import Dataset

WITHOUT = "leave labels out of the file to run without"
NEXT_STEP = "next-step"
READS_PADDING = "reads_padding"  # 1: forward of the module had no argument lengths
INSIST = "--other-data (other_data=True)"
OWN = "a file with inputs (samples, steps, channels) and, if known, labels (samples,)"
LEAVE_OUT = "leave scale out of the file if they are in that unit"


def data_for(
    graph: Graph,
    data: str | Dataset | NDArray[np.integer[Any]],
    data_dir: str = "",
    *,
    labels: bool = True,
    other_data: bool = False,
    listener: Listener = QUIET,
) -> Dataset:
    """Return data as this graph takes them; refuse what it was not made for.

    Parameters
    ----------
    data
        A specification as of ``--data``; a loaded data set; or integers in units of the graph's
        input, (samples, steps, channels), which nothing but their shape is known of.
    data_dir
        Folder of data sets; empty for the usual one.
    labels, other_data, listener
        As of `check_task`.

    Raises
    ------
    InputError
        If there are no such data, or as `check_task`.
    """
    from neurossm_models.data import Dataset
    from neurossm_models.data.own.loading import IN_UNITS

    if isinstance(data, str):
        data = load_data(data, data_dir, graph, listener)
    elif not isinstance(data, Dataset):
        unit, tokens = unit_of(graph)
        array = np.asarray(data)
        if array.ndim != 3:
            raise InputError("data", got=shown(data),
                             expected="a text such as mnist:train:512, a data set, or integers"
                             " (samples, steps, channels)")  # fmt: skip
        array = whole_numbers("data", array, IN_UNITS)
        labels_of_none = np.full(len(array), -1)
        data = Dataset("", "", array, unit, labels_of_none, "an array", tokens)
    check_task(graph, data, listener, labels=labels, other_data=other_data)
    return data


def check_task(
    graph: Graph,
    data: Dataset,
    listener: Listener = QUIET,
    *,
    labels: bool = True,
    other_data: bool = False,
) -> None:
    """Refuse data that the graph cannot take, and, unless `other_data`, was not made for.

    It cannot take other channels, tokens for values, labels of another task, labels without an
    output, or more steps. It was not made for another scale or order, or another data set of ours.
    A name that only the user knows is a note: it may be the same data under another name. Where
    labels play no part they may be of another task.
    """
    _check_kind(graph, data)
    if labels:
        _check_labels(graph, data)
    _check_steps(graph, data)
    wrong = list(_others(graph, data))
    where, name = _given(data), graph.meta.get("data")
    if wrong and not other_data:
        expected, got, remedy = wrong[0]
        remedy = remedy or f"use the data that it was made for ({name or 'unknown'})"
        remedy += f", or insist with {INSIST}"
        raise InputError(where, expected=expected, got=got, remedy=remedy)
    for expected, got, _ in wrong:
        listener.note(f"{where}: expected {expected}, got {got}; you insist")
    if name is not None and name != data.name and data.name and not wrong:
        same = "channels, order and scale" if said_order(data) else "channels and scale"
        listener.note(f"{where}: it was made for {name!r}; {same} are the same")
    if READS_PADDING in graph.meta and data.lengths is not None and len({*data.lengths}) > 1:
        listener.note(padding_text(data))
    if graph.dt is not None and data.dt is not None and graph.dt != data.dt:
        listener.note(f"{where}: steps of {data.dt:g} s, where it has {graph.dt:g} s")


def padding_text(data: Dataset) -> str:
    """Return what becomes of sequences of unlike lengths whose module does not know them."""
    assert data.lengths is not None
    low, high = int(data.lengths.min()), int(data.lengths.max())
    return (
        f"{_called(data)}: sequences of {low} to {high} steps are answered at their own end, a"
        " mean over their own steps; the module takes no lengths and answered behind their padding:"
        " give its forward an argument lengths (docs/how-to/training.md), or compare its accuracy"
    )


def labels_fit(graph: Graph, data: Dataset) -> bool:
    """Tell whether the labels are what this graph answers."""
    try:
        _check_labels(graph, data)
    except InputError:
        return False
    return True


def _check_kind(graph: Graph, data: Dataset) -> None:
    where, made, remedy = _given(data), graph.meta.get("data"), _remedy(graph)
    wide = [graph.nodes[name].out_channels for name in graph.inputs]
    if len(wide) == 1 and data.shape[2] != wide[0]:
        raise InputError(
            where,
            expected=f"{wide[0]} channel{'s' if wide[0] > 1 else ''}",
            got=str(data.shape[2]),
            remedy=f"{remedy}, or yours: {OWN}" if made else remedy,
        )
    if bool(data.vocabulary) != bool(graph.vocabularies):
        expected, got = ("tokens", "values") if graph.vocabularies else ("values", "tokens")
        raise InputError(where, expected=expected, got=got, remedy=remedy)


def _check_labels(graph: Graph, data: Dataset) -> None:
    if not data.labeled:
        return
    task, where = Interface.of(graph).task, f"labels of {_called(data)}"
    channels = sum(graph.nodes[name].out_channels for name in graph.outputs[:1])
    if data.kind != task:
        raise InputError(where, expected=f"those of a {task}, the task of this graph",
                         got=f"those of a {data.kind}, shape {data.labels.shape}",
                         remedy=WITHOUT)  # fmt: skip
    if task == NEXT_STEP:
        return
    if data.labels.dtype.kind == "f" or task == "multilabel":
        if data.labels.shape[-1] != channels:
            raise InputError(where, expected=f"{channels} numbers each, as the output sends",
                             got=str(data.labels.shape[-1]), remedy=WITHOUT)  # fmt: skip
    elif int(data.labels.max()) >= channels:
        raise InputError(where, expected=f"0 to {channels - 1}, a channel of the output (-1: none)",
                         got=str(int(data.labels.max())), remedy=WITHOUT)  # fmt: skip


def _called(data: Dataset) -> str:
    return f"data {data.name!r}" if data.name else "data"  # arrays have no name


def _given(data: Dataset) -> str:
    return f"{_called(data)} on this graph"


def _remedy(graph: Graph) -> str:
    made = graph.meta.get("data")
    return f"use the data that it was made for ({made})" if made else f"give it yours: {OWN}"


def _check_steps(graph: Graph, data: Dataset) -> None:
    length, steps = data.trimmed().shape[1], graph.meta.get("steps")
    if isinstance(steps, int) and length > steps:
        raise InputError(
            _given(data), expected=f"at most {steps} steps", got=str(length),
            remedy=_remedy(graph),
        )  # fmt: skip


def _others(graph: Graph, data: Dataset) -> list[tuple[str, str, str]]:
    """Return what is expected, what came, and what to do, for each thing in which they differ."""
    if not data.name:  # an array
        return []
    found = [*_other_channels(graph, data), *_other_scales(graph, data)]
    order, name, given = order_of(graph), graph.meta.get("data"), said_order(data)
    if order is not None and given is not None and order != given:
        found.append((f"steps in {order} order", f"{given} order", ""))
    if order not in (None, RECORDED) and given is None:  # a file of one's own: permuted or not?
        found.append((f"steps in {order} order", f"a file that names none (order={order!r} in it)",
                      ""))  # fmt: skip
    if not found and name in ours() and data.name in ours() and name != data.name:
        found.append((f"the data set {name!r}", repr(data.name), ""))
    return found


def _other_channels(graph: Graph, data: Dataset) -> Iterator[tuple[str, str, str]]:
    known, given = Interface.of(graph).channel_names, data.channel_names
    if known and given and known != given:
        yield f"channels {', '.join(known)}", ", ".join(given), ""


def _other_scales(graph: Graph, data: Dataset) -> Iterator[tuple[str, str, str]]:
    learned = Interface.of(graph).scaling
    if learned is not None:
        if data.scaling is None or data.scaling.as_json() != learned.as_json():
            got = f"units of {data.scale:g}" if data.scaling is None else "another scale"
            yield "values by the scale that training learned", got, ""
        return
    if data.scaling is not None or graph.vocabularies:
        return
    scale = graph.meta.get("input_scale")
    own = data.name not in ours()
    unit = scale if scale is not None else unit_of(graph)[0] if own else data.scale
    if unit != data.scale:
        yield f"inputs in units of {unit:g}", f"{data.scale:g}", LEAVE_OUT if own else ""
