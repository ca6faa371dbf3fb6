"""What spiking neurons have in common: a choice of how sequences are computed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor, nn

from neurossm.errors import InputError
from neurossm_models.config import check_neuron_form
from neurossm_models.layers import not_native, runs_natively


class SpikingNeuron(nn.Module, ABC):
    """A layer of neurons of which `form` says how sequences are computed."""

    FORMS: ClassVar[tuple[str, ...]]  # that such neurons may have

    @property
    @abstractmethod
    def form(self) -> str:
        """How sequences are computed, one of `neurossm_models.config.NEURON_FORMS`."""

    @form.setter
    @abstractmethod
    def form(self, form: str) -> None:
        """Choose it; `InputError` where it does not apply to these neurons."""

    @abstractmethod
    def form_for(self, y: Tensor) -> str:
        """Return the form in which a sequence like `y` is computed; never ``"auto"``."""


def checked_form(form: str, neuron: SpikingNeuron) -> str:
    """Return the name of a form that these neurons have; raise `InputError` for another one."""
    name = check_neuron_form("form of the neurons", form)
    if name not in neuron.FORMS:
        kind = type(neuron).__name__
        expected = f"one of {', '.join(neuron.FORMS)} for {kind}"
        raise InputError("form of the neurons", expected=expected, got=repr(form),
                         remedy="use 'auto'")  # fmt: skip
    return name


def check_native(form: str, *tensors: Tensor) -> bool:
    """Say whether the native kernels take all of these tensors.

    Raises
    ------
    InputError
        If they do not and the form is ``"native"``.
    """
    others = [x for x in tensors if not runs_natively(x)]
    if others and form == "native":
        raise not_native(others[0], "use 'auto' or 'loop'")
    return not others
