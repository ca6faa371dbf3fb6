"""Prepares the demo on a fresh machine: images, and Lava."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from neurossm.errors import InputError, TargetError
from neurossm.extras import EXTRAS
from neurossm_workflows.listener import QUIET, Listener

CHECKPOINT = "binary-s4d-smnist"
WITHOUT_DOWNLOAD = "binary-s4d-digits"  # its images come with scikit-learn
CALIBRATING = 512  # sequences of the training part
TITLES = {"mnist": "sequential MNIST", "digits": "sequential digits"}


@dataclass(frozen=True)
class Subject:
    """Which network the demo shows, on which data.

    Attributes
    ----------
    checkpoint
        Run folder, or the name of a checkpoint.
    data
        Name of the registered data set that it was trained on.
    """

    checkpoint: str
    data: str

    @property
    def title(self) -> str:
        """What the report calls it."""
        return f"{self.checkpoint} on {TITLES.get(self.data, self.data)}"


def subject(checkpoint: str = "", data_dir: str = "", listener: Listener = QUIET) -> Subject:
    """Return what the demo shows; fetch its data where they are missing and can be fetched.

    Where no source can be reached, and no checkpoint was asked for, it is the digits of
    scikit-learn, if that is installed; the listener gets a note.

    Parameters
    ----------
    checkpoint
        Run folder, or the name of a checkpoint; empty: `CHECKPOINT`.
    data_dir, listener
        As of `data_for`.

    Raises
    ------
    InputError
        If there is no such checkpoint, it was trained on data of one's own, or its data cannot be
        had.
    """
    from neurossm_models.data.sets import SOURCES
    from neurossm_models.train import load_model

    chosen = checkpoint or CHECKPOINT
    name = load_model(chosen)[1].data.name
    if name not in SOURCES:
        raise InputError(f"checkpoint {chosen!r}", expected="one trained on a built-in data set",
                         got=f"one trained on {name or 'data of your own'}",
                         remedy=f"the same steps begin with: neurossm export {chosen} -o m.nssm",
        )  # fmt: skip
    if SOURCES[name].find(data_dir or None) is not None:
        return Subject(chosen, name)
    try:
        _fetch(SOURCES[name].fetched_as, data_dir)
    except InputError as error:
        digits = SOURCES["digits"]
        if checkpoint or digits.find() is None:
            raise _without_data(error, checkpoint) from None
        listener.note(f"MNIST could not be fetched: the demo goes on with {WITHOUT_DOWNLOAD} on the"
                      " digits of scikit-learn")  # fmt: skip
        return Subject(WITHOUT_DOWNLOAD, digits.name)
    return Subject(chosen, name)


def _fetch(name: str, data_dir: str) -> Path | None:
    from neurossm_models.data import fetch

    return fetch(name, data_dir or None) if name else None  # reading it says what to do


def _without_data(error: InputError, checkpoint: str) -> InputError:
    """Return the error with what else helps: images that a package brings."""
    extra = next(extra for extra in EXTRAS if extra.name == "data")
    again = f"{extra.command} && neurossm demo --checkpoint {WITHOUT_DOWNLOAD}"
    remedy = error.remedy if checkpoint else f"{again}; or {error.remedy}"
    return InputError(error.where, expected=error.expected, got=error.got, remedy=remedy)


def lava_ready(listener: Listener = QUIET) -> bool:
    """Tell whether Lava can be used; install it where only lava-nc is missing of its extra.

    The listener is told what is installed, and gets a note with what to do where Lava is left out.
    """
    from neurossm_converters.backends.lava import shim
    from neurossm_workflows.installing import asked_for_lava, install_lava

    found = shim.status()
    if found.usable:
        return True
    if not asked_for_lava():
        listener.note(f"Lava is left out: {found.problem}; {found.remedy}")
        return False
    try:
        install_lava(listener)
    except TargetError as error:
        listener.note(f"Lava is left out: {error}")
        return False
    return True
