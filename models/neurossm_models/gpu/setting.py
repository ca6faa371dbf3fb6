"""Where the Triton kernels run, and how they are launched.

With ``TRITON_INTERPRET=1`` in the environment before anything imports Triton, its interpreter runs
kernels on the CPU: slowly, and only good for checking them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from importlib.util import find_spec
from typing import Any

import torch
from torch import Tensor

from neurossm.errors import InputError
from neurossm.extras import lacking
from neurossm_models.layers import kind_of

TRITON = "triton"
# How exactly products of matrices take float32: as it is, in three products of tensor cores, or
# rounded to the 10 bits of the mantissa that tensor cores take.
PRODUCTS = ("ieee", "tf32x3", "tf32")
MOST_MODES = 64  # a program keeps the tables of all modes of its feature in shared memory
_MOST_IN_THREE = 32  # with each table in two parts
CAPABLE = (8, 0)  # the least compute capability that Triton supports
FORMS = (TRITON, *(f"{TRITON}:{products}" for products in PRODUCTS[1:]))

_planning = False  # see `planning`


def is_triton(form: str) -> bool:
    """Say whether a form of the state space layers is by these kernels."""
    return form in FORMS


def products_of(form: str) -> str:
    """Return which of `PRODUCTS` a form of the state space layers asks for."""
    return form.partition(":")[2] or PRODUCTS[0]


def form_of(products: str) -> str:
    """Return the form that asks for one of `PRODUCTS`."""
    return FORMS[PRODUCTS.index(products)]


def check_states(form: str, states: int, where: str = "") -> None:
    """Raise `InputError` if these kernels cannot hold so many states per feature."""
    most = _MOST_IN_THREE if products_of(form) == "tf32x3" else MOST_MODES
    if states > 2 * most:
        remedy = "use 'triton' or 'fft'" if states <= 2 * MOST_MODES else "use 'fft'"
        raise InputError(where or f"form {form!r}", expected=f"at most {2 * most} states per"
                         f" feature for {form!r}" if where else f"at most {2 * most} states per"
                         " feature", got=str(states), remedy=remedy)  # fmt: skip


def interpreted() -> bool:
    """Say whether Triton's interpreter runs kernels in this process."""
    return os.environ.get("TRITON_INTERPRET", "") in ("1", "true", "on", "yes", "y")


def picks_triton(x: Tensor) -> bool:
    """Say whether the form ``"auto"`` is these kernels for a tensor: on GPUs that have Triton."""
    return (
        x.device.type == "cuda"
        and x.dtype == torch.float32
        and find_spec("triton") is not None
        and compiles_for(x.device)
    )


def compiles_for(gpu: torch.device) -> bool:
    """Say whether Triton compiles for a GPU, as far as its kind says."""
    return torch.version.hip is None and torch.cuda.get_device_capability(gpu) >= CAPABLE


def check_runs(x: Tensor, *, narrow: bool = False) -> None:
    """Raise `InputError` unless the kernels take this tensor: float32, on a GPU or interpreted.

    With `narrow`, bfloat16 too.
    """
    here = x.device.type == "cuda" or (x.device.type == "cpu" and (interpreted() or _planning))
    right = (torch.float32, torch.bfloat16) if narrow else (torch.float32,)
    if not here or x.dtype not in right:
        kinds = "float32 or bfloat16" if narrow else "float32"
        remedy = "use 'auto', or TRITON_INTERPRET=1 to check kernels on a CPU"
        expected, got = f"{kinds} on a GPU", kind_of(x)
        raise InputError(f"form {TRITON!r}", expected=expected, got=got, remedy=remedy)
    if absent := lacking("gpu"):
        raise InputError(f"form {TRITON!r}", expected="Triton", got=absent, remedy="or use 'auto'")
    if x.device.type == "cuda" and not compiles_for(x.device):
        expected = "a GPU of NVIDIA with compute capability {}.{} or more".format(*CAPABLE)
        got = torch.cuda.get_device_name(x.device)
        raise InputError(f"form {TRITON!r}", expected=expected, got=got, remedy="use 'auto'")


@contextmanager
def planning() -> Iterator[None]:
    """Take the memory that kernels need, on a CPU, but start none: results are arbitrary.

    This is how a training on a GPU that is not at hand is estimated.
    """
    global _planning
    before, _planning = _planning, True
    try:
        yield
    finally:
        _planning = before


def check_same(x: Tensor, *parameters: Tensor) -> None:
    """Raise `InputError` unless x runs and the parameters are float32 on its device."""
    check_runs(x, narrow=True)
    for tensor in parameters:
        check_runs(tensor)
        if tensor.device != x.device:
            expected, got = f"parameters on {x.device}", kind_of(tensor)
            raise InputError(f"form {TRITON!r}", expected=expected, got=got)


def launch(
    kernel: Any, grid: tuple[int, ...], x: Tensor, *arguments: Any, **constants: Any
) -> None:
    """Run a kernel on the device of x.

    A product and a sum are never one operation (``enable_fp_fusion``): the membrane of a neuron
    would be rounded once where the other forms round it twice, and spikes would differ.
    """
    if _planning and x.device.type == "cpu":
        return
    there = torch.cuda.device(x.device) if x.device.type == "cuda" else nullcontext()
    with there:
        kernel[grid](*arguments, **constants, enable_fp_fusion=False)
