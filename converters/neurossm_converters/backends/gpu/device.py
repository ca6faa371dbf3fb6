"""The device that runs: a GPU, or Triton's interpreter on the CPU; how much memory it has free."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import ModuleType

import torch

from neurossm.errors import TargetError
from neurossm_converters.backends.gpu.launch import kernels

INTERPRETER = "interpreter"
INTERPRETED_BYTES = 2**30  # where nobody needs to know how much there is
SHARE = 0.6  # of the free memory: PyTorch keeps pieces, and a matrix product wants some


@dataclass(frozen=True)
class Device:
    """Where graphs run.

    Attributes
    ----------
    place
        PyTorch's name of it.
    interpreted
        True where Triton's interpreter runs the kernels, on the CPU.
    """

    place: torch.device
    interpreted: bool

    @property
    def kernels(self) -> ModuleType:
        """The kernels as they run there."""
        return kernels(self.interpreted)

    @property
    def free_bytes(self) -> int:
        """Memory that messages may take."""
        if self.interpreted:
            return INTERPRETED_BYTES
        free, _ = torch.cuda.mem_get_info(self.place)
        kept = torch.cuda.memory_reserved(self.place) - torch.cuda.memory_allocated(self.place)
        return int(SHARE * (free + kept))

    @property
    def title(self) -> str:
        """What it is, in words."""
        if self.interpreted:
            return "Triton's interpreter on the CPU"
        return torch.cuda.get_device_name(self.place)

    @contextmanager
    def current(self) -> Iterator[None]:
        """Within this, kernels start there, and PyTorch keeps no gradients."""
        with ExitStack() as within:
            within.enter_context(torch.no_grad())
            if self.interpreted:
                within.enter_context(warnings.catch_warnings())
                # it takes an array of one number as a number, which NumPy says to leave off
                warnings.filterwarnings("ignore", "Conversion of an array", DeprecationWarning)
            else:
                within.enter_context(torch.cuda.device(self.place))
            yield


def device_of(name: str) -> Device:
    """Return the device of a name, ``cuda``, ``cuda:1`` or ``interpreter``.

    Raises
    ------
    TargetError
        If there is no such GPU.
    """
    if name == INTERPRETER:
        return Device(torch.device("cpu"), True)
    found = torch.cuda.device_count() if torch.cuda.is_available() else 0
    place = torch.device(name)
    if (place.index or 0) < found:
        return Device(torch.device("cuda", place.index or 0), False)
    built = "" if torch.version.cuda or torch.version.hip else "; this PyTorch is built for CPUs"
    got = f"{found}{built}" if found else f"none that PyTorch sees{built}"
    raise TargetError(
        f"engine 'gpu' on device {name!r}", expected="that GPU", got=got,
        remedy="--engine fast is quick on CPUs",
    )  # fmt: skip
