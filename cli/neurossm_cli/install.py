"""``neurossm install``: what pip alone does not install."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

import typer

from neurossm_cli.presentation.console import Console, JsonOption


def install(
    what: Annotated[
        Literal["lava"],
        typer.Argument(metavar="lava", help="lava-nc 0.10.0, Lava's simulator on the CPU."),
    ],
    json: JsonOption = False,
) -> None:
    """Install Lava, which pip alone does not install.

    lava-nc declares an older Python than it runs on; this installs the tested version with its
    checksum verified, into the environment of this neurossm.
    """
    from neurossm_workflows.install import install_lava

    console = Console(json)
    found = install_lava(console.listener)
    console.document(asdict(found))
    console.say(
        f"{found.name} {found.version}: " + ("installed" if found.done else "there already")
    )
