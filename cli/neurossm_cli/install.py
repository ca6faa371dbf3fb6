"""``neurossm install``: what pip alone does not install."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

import typer

from neurossm_cli.presentation.console import Console, JsonOption


def install(
    what: Annotated[
        Literal["lava"], typer.Argument(help="lava: lava-nc 0.10.0, Lava's simulator.")
    ],
    json: JsonOption = False,
) -> None:
    """Install what pip alone does not: lava-nc, which declares an older Python than it runs on."""
    from neurossm_workflows.install import install_lava

    console = Console(json)
    found = install_lava(console.listener)
    console.document(asdict(found))
    console.say(
        f"{found.name} {found.version}: " + ("installed" if found.done else "there already")
    )
