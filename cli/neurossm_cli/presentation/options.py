"""``--ssm-mapping``: one option with one default for what checks, places and deploys."""

from __future__ import annotations

from typing import Annotated

import typer

from neurossm.errors import InputError

MappingOption = Annotated[
    str | None,
    typer.Option(
        help="state: one neuron a state; channel: the states of a channel in one neuron"
        " (default: channel, as our own processes deploy it)."
    ),
]
LAVAS_OWN = "lava"  # processes: Lava's S4d has one neuron a state


def chosen_mapping(given: str | None) -> str:
    """Return the mapping that was asked for, or the one of all commands."""
    from neurossm.placement import DEFAULT_MAPPING

    return DEFAULT_MAPPING if given is None else given


def deployed_mapping(given: str | None, processes: str) -> str:
    """Return the mapping of a network that is deployed: its processes decide it.

    Raises
    ------
    InputError
        If another one was asked for.
    """
    mapping = "state" if processes == LAVAS_OWN else chosen_mapping(None)
    if given is not None and given != mapping:
        remedy = "--processes ours has one neuron a channel, --processes lava one a state"
        expected = f"{mapping}, as --processes {processes} makes it"
        raise InputError("--ssm-mapping", expected=expected, got=repr(given), remedy=remedy)
    return mapping
