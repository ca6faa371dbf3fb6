"""Options of what checks, places and deploys, each with one default."""

from __future__ import annotations

from typing import Annotated

import typer

from neurossm_cli.presentation.paths import READS_CHIP

MappingOption = Annotated[
    str | None,
    typer.Option(
        help="state: one neuron a state; channel: the states of a channel in one neuron"
        " (default: channel, as our own processes deploy it)."
    ),
]
HardwareOption = Annotated[str, typer.Option(help="A chip by name, or a TOML file."), READS_CHIP]
ChipsOption = Annotated[
    int | None, typer.Option(help="Chips that there are; no more are used than needed.")
]


def chosen_mapping(given: str | None) -> str:
    """Return the mapping that was asked for, or the one of all commands."""
    from neurossm.placement import DEFAULT_MAPPING

    return DEFAULT_MAPPING if given is None else given
