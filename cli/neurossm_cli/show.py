"""``neurossm show``: the nodes of a network, as a table and a drawing."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from neurossm_cli.presentation.console import Console, JsonOption
from neurossm_cli.presentation.options import AnyGraph
from neurossm_cli.presentation.paths import WRITES


def show(
    graph: AnyGraph,
    svg: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write a drawing of the network here."),
        WRITES,
    ] = None,
    json: JsonOption = False,
) -> None:
    """List the nodes of a network: shapes, number formats, parameters."""
    from neurossm.engine.compiled import without_form
    from neurossm.report import graph_svg, node_table
    from neurossm.store import describe, graph_digest, load, write_text

    console = Console(json)
    about, loaded = describe(graph), load(graph)
    rows = node_table(loaded)
    if svg:
        write_text(svg, graph_svg(loaded), "--svg")
    parameters = sum(node.parameters for node in loaded.nodes.values())
    states = sum(node.states for node in loaded.nodes.values())
    slow = without_form(loaded) if loaded.is_integer else ()
    console.document(
        {"file": str(graph), "integer": loaded.is_integer, "producer": about.producer,
         "sha256": graph_digest(loaded), "dt": loaded.dt, "meta": dict(loaded.meta),
         "parameters": parameters, "states": states, "nodes": [asdict(row) for row in rows],
         "edges": [list(edge) for edge in loaded.edges], "without_kernel": list(slow),
         "svg": str(svg) if svg else None}
    )  # fmt: skip
    columns = [key for key in asdict(rows[0]) if key != "note"]
    console.table(columns, [[getattr(row, key) for key in columns] for row in rows])
    for note in dict.fromkeys(row.note for row in rows if row.note):
        console.say(f"{', '.join(row.name for row in rows if row.note == note)}: {note}")
    kind = "integer" if loaded.is_integer else "float"
    dt = "not known" if loaded.dt is None else f"{loaded.dt:g} s"
    console.say(f"{kind} graph: {parameters:,} parameters, {states:,} real states, dt {dt}")
    if slow:
        console.say(f"no kernel, the engines run its own steps: {', '.join(slow)}")
    for key, value in loaded.meta.items():
        console.say(f"  {key}: {value}")
