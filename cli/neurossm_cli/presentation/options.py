"""Options and arguments that several commands have, each with one name, help and default."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from neurossm_cli.presentation import completing
from neurossm_cli.presentation.choices import ENGINES, SSM_MAPPINGS, chips, choice, listed
from neurossm_cli.presentation.paths import READS, READS_CHIP

# all of it: the help of `neurossm data`
DATA_NAMES = """Wherever a command takes DATA, that is

NAME:SPLIT[:N], a data set that comes with neurossm, such as mnist:test:256
('neurossm data list' lists them);

PATH[:SPLIT[:N]], data of your own: a file (.npz .h5 .npy .csv .tsv .ts .arff) or a folder;

py:FILE.py:FUNCTION[:SPLIT[:N]], a Python function that returns data;

tonic:NAME[:SPLIT[:N]], a data set of the package tonic.

SPLIT is train, valid, test or all; N takes the first N samples only."""
DATA_HELP = (
    "a data set such as mnist:test:256, or a file of your own, PATH[:SPLIT[:N]];"
    " see 'neurossm data --help'."
)


def data_option(about: str, *declarations: str) -> Any:
    """Return an option that names data; `about` says what they are for."""
    return typer.Option(
        *declarations,
        metavar="DATA",
        help=f"{about}: {DATA_HELP}",
        autocompletion=completing.data,
    )


def bits(help: str, *declarations: str, **more: Any) -> Any:
    """Return an option that is a number of bits."""
    return typer.Option(*declarations, metavar="BITS", help=help, **more)


DATA = data_option("Data to run on")
CALIBRATION = data_option("Data that set the activation ranges, of the training part")
ENGINE = typer.Option(
    metavar="ENGINE",
    help=f"What runs the network: {listed(ENGINES)}; with options, NAME:KEY=VALUE, such as"
    " lava:batch=8. 'neurossm doctor' lists which can run here, and their options.",
    autocompletion=completing.engine,
)
FloatGraph = Annotated[
    Path, typer.Argument(metavar="GRAPH", help="A float network, .nssm, as export writes it."),
    READS,
]  # fmt: skip
IntegerGraph = Annotated[
    Path, typer.Argument(metavar="GRAPH", help="An integer network, .nssm, as quantize writes it."),
    READS,
]  # fmt: skip
AnyGraph = Annotated[
    Path, typer.Argument(metavar="GRAPH", help="A network, .nssm, float or integer."), READS
]
DataDirOption = Annotated[
    str,
    typer.Option(
        "--data-dir",
        metavar="FOLDER",
        help="Folder of the data sets (default: $NEUROSSM_DATA, else a cache folder).",
    ),
]
OtherDataOption = Annotated[
    bool,
    typer.Option(
        "--other-data",
        help="Accept data whose order, scale or name is not that of the data the network was made"
        " for; a note says what differs.",
    ),
]
OutputOption = Annotated[
    Path, typer.Option("-o", "--output", metavar="FILE", help="The .nssm file to write.")
]
MappingOption = Annotated[
    str | None,
    choice(
        SSM_MAPPINGS,
        "How the states of an SSM are placed ({}): one chip neuron per state, or the states of a"
        " channel in one chip neuron (default: channel).",
        metavar="MAPPING",
    ),
]
HardwareOption = Annotated[
    str,
    typer.Option(
        metavar="CHIP",
        help=f"Chip: {listed(chips())}, or a TOML file of your own.",
        autocompletion=completing.chip,
    ),
    READS_CHIP,
]
ChipsOption = Annotated[
    int | None,
    typer.Option(metavar="N", help="Number of available chips (default: as many as needed)."),
]


def chosen_mapping(given: str | None) -> str:
    """Return the mapping that was asked for, or the one of all commands."""
    from neurossm.placement import DEFAULT_MAPPING

    return DEFAULT_MAPPING if given is None else given
