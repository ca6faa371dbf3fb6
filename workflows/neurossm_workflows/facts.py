"""The facts of its data that a graph keeps: name, order of steps, unit, learned facts.

Kept in its `meta`: ``data`` (name), ``data_order`` (``recorded``, or the name of an order of the
steps), ``input_scale`` and ``steps``; channels and tokens are those of its `Input`. FORMAT.md names
them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from neurossm.interface import Interface, classes_of

if TYPE_CHECKING:
    from neurossm.graph import Graph
    from neurossm_models.data import Dataset, Task

RECORDED = "recorded"  # the order in which the steps were recorded


def remembering(graph: Graph, data: Dataset) -> Graph:
    """Return the graph with what these data say and it did not know: name, order, scale, dt."""
    if not data.name:  # an array, of which nothing is known
        return graph
    known: dict[str, str | int | float] = {"data": data.name}
    if data.scaling is None:
        known["input_scale"] = data.scale
    if order := said_order(data):
        known["data_order"] = order
    if "data" in graph.meta and graph.meta["data"] != data.name:
        known = {}  # what it was made for is not what it is calibrated on
    dt = data.dt if graph.dt is None else graph.dt
    return replace(graph, meta={**known, **graph.meta}, dt=dt)


def order_of(graph: Graph) -> str | None:
    """Return the order of steps that a graph was made for; None where it is not known.

    Older files have only the name of the data; that of a data set of ours tells the order.
    """
    said = graph.meta.get("data_order")
    if said is None and graph.meta.get("data") in ours():
        from neurossm_models.data import task

        return task(str(graph.meta["data"])).order or RECORDED
    return None if said is None else str(said)


def said_order(data: Dataset) -> str | None:
    """Return the order of the steps; None for data of one's own that do not say it."""
    return data.order or (RECORDED if data.name in ours() else None)


def facts_of(graph: Graph) -> Task | None:
    """Return what a graph learned of data of one's own in training; None where it did not."""
    from neurossm_models.data import Task

    about = Interface.of(graph)
    if not graph.inputs or (about.scaling is None and not (graph.vocabularies and about.split)):
        return None
    name = graph.inputs[0]
    out, steps = graph.nodes[name].out, graph.meta.get("steps")
    unit, tokens = unit_of(graph)
    return Task(
        steps=steps if isinstance(steps, int) else 0,
        scale=unit,
        classes=classes_of(graph),
        vocabulary=tokens,
        bits=about.scaling.bits if about.scaling else out.bits - 1 if out is not None else 8,
        order=_order(graph),
        dt=graph.dt,
        kind=about.task,
        features=graph.nodes[name].out_channels,
        scaling=about.scaling,
        target=about.target,
        class_names=about.class_names,
        channel_names=about.channel_names,
        split=about.split,
    )


def _order(graph: Graph) -> str:
    order = graph.meta.get("data_order", "")
    return "" if order == RECORDED else str(order)


def unit_of(graph: Graph) -> tuple[float, int]:
    """Return the real value of one unit of a graph's input, and its tokens (0: quantities)."""
    if not graph.inputs:
        return 1.0, 0
    name = graph.inputs[0]
    out, said = graph.nodes[name].out, graph.meta.get("input_scale")
    tokens = graph.vocabularies.get(name, 0)
    if tokens or out is None:
        return 1.0, tokens
    return float(said) if isinstance(said, int | float) else 2.0**-out.frac, 0


def ours() -> list[str]:
    """Return the names of our data sets."""
    from neurossm_models.data.registry import names

    return names()
