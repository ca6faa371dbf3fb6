"""``neurossm install``: what pip alone cannot install."""

from __future__ import annotations

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
    from neurossm_workflows.installing import install_lava

    console = Console(json)
    found = install_lava(console.listener)
    console.document({"package": "lava-nc", "version": found.version,
                      "installed": list(found.requirements)})  # fmt: skip
    if found.requirements:
        console.say(f"lava-nc {found.version} can be used, after {found.seconds:.1f} s;"
                    " try: neurossm demo")  # fmt: skip
    else:
        console.say(f"lava-nc {found.version} is installed and can be used")
