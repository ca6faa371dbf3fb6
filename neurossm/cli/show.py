"""``neurossm show``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from neurossm.cli.console import Console, JsonOption
from neurossm.errors import InputError


def show(
    graph: Annotated[Path, typer.Argument(help="An .nssm file.")],
    svg: Annotated[Path | None, typer.Option(help="Write a drawing of the graph here.")] = None,
    json: JsonOption = False,
) -> None:
    """List the nodes of a graph: shapes, formats, parameter and state counts."""
    from neurossm.report import graph_svg, node_table
    from neurossm.store import describe, graph_digest, load

    console = Console(json)
    about, loaded = describe(graph), load(graph)
    rows = node_table(loaded)
    if svg:
        try:
            svg.write_text(graph_svg(loaded), encoding="utf-8")
        except OSError as error:
            raise InputError(f"--svg {svg}", expected="a file that can be written",
                             got=str(error.strerror)) from None  # fmt: skip
    parameters = sum(node.parameters for node in loaded.nodes.values())
    states = sum(node.states for node in loaded.nodes.values())
    console.document(
        {"file": str(graph), "integer": loaded.is_integer, "producer": about.producer,
         "sha256": graph_digest(loaded), "dt": loaded.dt, "meta": dict(loaded.meta),
         "parameters": parameters, "states": states, "nodes": [asdict(row) for row in rows],
         "edges": [list(edge) for edge in loaded.edges], "svg": str(svg) if svg else None}
    )  # fmt: skip
    columns = [key for key in asdict(rows[0])]
    console.table(columns, [tuple(asdict(row).values()) for row in rows])
    kind = "integer" if loaded.is_integer else "float"
    console.say(
        f"{kind} graph: {parameters:,} parameters, {states:,} real states, dt {loaded.dt} s"
    )
    for key, value in loaded.meta.items():
        console.say(f"  {key}: {value}")
