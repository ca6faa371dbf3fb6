"""The example: which of its axes are batch, time and features, and its integers.

Shape letters: ``B`` samples, ``T`` steps, ``C`` channels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neurossm.errors import InputError
from neurossm.fixed import Fixed, Scaling
from neurossm_converters.formats.torch.traced.signals import Atom, Dim, simplified

MOST_SAMPLES = 4  # of the example are run, of long sequences fewer
MANY_STEPS = 4096
BITS = 12  # magnitude bits of integers, where nobody says it
Reals = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Given:
    """An input of the network.

    Attributes
    ----------
    name
        Its name in the graph, and in forward.
    layout
        A letter an axis: ``b``, ``t``, others features.
    shape
        Sizes of the feature axes.
    integers
        The example (B, T, C).
    scale, offset
        What the network takes one unit of each channel for, and the integer 0, ``(C,)``.
    bits
        Magnitude bits.
    tokens
        True for whole numbers as they are.
    dtype
        Of the tensor that forward takes.
    """

    name: str
    layout: str
    shape: tuple[int, ...]
    integers: Integers
    scale: Reals
    offset: Reals
    bits: int
    tokens: bool
    dtype: torch.dtype

    @property
    def frac(self) -> int:
        """Fraction bits of the integers: the power of two nearest to the largest scale."""
        return 0 if self.tokens else round(-math.log2(float(self.scale.max())))

    @property
    def format(self) -> Fixed:
        """Number format of the `Input`."""
        return Fixed(self.bits + 1, self.frac)

    @property
    def dims(self) -> tuple[Dim, ...]:
        """What each axis runs over."""
        sizes = iter(self.shape)
        atoms: list[Atom] = [c if c in "bt" else next(sizes) for c in self.layout]
        return simplified([(atom,) for atom in atoms])

    def tensor(self, integers: Integers) -> torch.Tensor:
        """Return what forward takes for integers (B, T, C)."""
        values = integers if self.tokens else integers * self.scale + self.offset
        full = values.reshape(*values.shape[:2], *self.shape)
        features = iter(range(2, full.ndim))
        order = ["bt".index(c) if c in "bt" else next(features) for c in self.layout]
        found = torch.from_numpy(np.ascontiguousarray(np.transpose(full, order)))
        return found.to(self.dtype if self.tokens else torch.float64)

    def first(self, steps: int) -> Given:
        """Return the first steps of it."""
        return replace(self, integers=self.integers[:, :steps])


def given(
    example: Any, names: list[str], layout: Any, scale: Any, bits: int | None, offset: Any = 0.0
) -> list[Given]:
    """Return the inputs of an example.

    Parameters
    ----------
    example
        A tensor or array; a tuple or list of them, or a mapping from arguments of forward.
    names
        Arguments of forward, in order.
    layout, scale, offset
        One for all, or a tuple or mapping as the example is.
    bits
        Magnitude bits; None for 12.

    Raises
    ------
    InputError
        For an example that is no tensor, or whose axes are not those of the layout.
    """
    if isinstance(example, Mapping):
        parts = dict(example)
    elif isinstance(example, tuple | list):
        if len(example) > len(names):
            raise InputError("from_torch example", expected=f"at most {len(names)} inputs, as"
                             " forward takes", got=str(len(example)))  # fmt: skip
        parts = dict(zip(names, example, strict=False))
    else:
        parts = {names[0] if names else "x": example}
    single = not isinstance(example, Mapping | tuple | list)
    found = [
        _one("input" if len(parts) == 1 and single else str(name), value,
             _of(layout, name, place), _of(scale, name, place), bits, _of(offset, name, place))
        for place, (name, value) in enumerate(parts.items())
    ]  # fmt: skip
    if len({item.integers.shape[:2] for item in found}) != 1:
        shapes = ", ".join(str(item.integers.shape[:2]) for item in found)
        raise InputError("from_torch example", expected="inputs of one number of samples and steps",
                         got=shapes)  # fmt: skip
    return found


def _of(value: Any, name: str, place: int) -> Any:
    if isinstance(value, Mapping):
        return value.get(name)
    return value[place] if isinstance(value, tuple) else value


def _one(
    name: str, value: Any, layout: str | None, scale: Any, bits: int | None, offset: Any
) -> Given:
    where = "from_torch example" if name == "input" else f"from_torch example {name!r}"
    if not isinstance(value, torch.Tensor | np.ndarray):
        raise InputError(where, expected="a tensor or an array", got=type(value).__name__)
    tensor = torch.as_tensor(value).detach().cpu()
    letters = _layout(where, layout, tensor)
    order = [letters.index("b"), letters.index("t")]
    order += [place for place in range(tensor.ndim) if place not in order]
    array = tensor.permute(order)
    whole = not (tensor.is_floating_point() or tensor.is_complex())
    numbers = array.numpy() if whole else array.double().numpy()
    if tensor.is_complex() or not numbers.size or not np.all(np.isfinite(numbers)):
        raise InputError(where, expected="finite real numbers", got="none, or others")
    shape = numbers.shape[2:]
    most = max(2, min(MOST_SAMPLES, MANY_STEPS // max(numbers.shape[1], 1)))
    every = numbers.reshape(*numbers.shape[:2], -1)
    flat = every[:most]
    if len(flat) == 1:
        flat = np.concatenate([flat, flat[:, ::-1]])  # batch and time are told apart by two
    if flat.shape[1] < 2:
        raise InputError(where, expected="at least 2 steps", got=str(flat.shape[1]))
    if whole:
        width = max(1, int(np.abs(flat).max()).bit_length())
        ones = np.ones(flat.shape[2])
        return Given(name, letters, shape, flat.astype(np.int64), ones, 0 * ones, bits or width,
                     True, tensor.dtype)  # fmt: skip
    bits = BITS if bits is None else bits
    zero = _offset(where, offset, flat.shape[2])
    factors = _scale(where, scale, every - zero, bits)  # all of the example has to fit
    integers, _ = Scaling(factors, zero, factors, bits).to_integers(flat)
    return Given(name, letters, shape, integers.astype(np.int64), factors, zero, bits, False,
                 torch.float64)  # fmt: skip


def _layout(where: str, layout: str | None, tensor: torch.Tensor) -> str:
    # by default samples, steps, and whatever one step has: features, or channels and space
    letters = layout if layout is not None else "bt" + "f" * max(tensor.ndim - 2, 0)
    if (
        not isinstance(letters, str)
        or len(letters) != tensor.ndim
        or letters.count("b") != 1
        or letters.count("t") != 1
    ):
        raise InputError(
            f"{where} layout", expected=f"a letter for each of {tensor.ndim} axes, among them b for"
            " samples and t for steps", got=repr(letters),
            remedy='say layout="btf", "tbf", "bft" or what the axes of the example are',
        )  # fmt: skip
    return letters


def _offset(where: str, offset: Any, channels: int) -> Reals:
    """Return what the integer 0 stands for, a channel ``(C,)``."""
    try:
        found = np.asarray(0.0 if offset is None else offset, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.array(np.nan)
    if found.size not in (1, channels) or not np.all(np.isfinite(found)):
        raise InputError(f"{where} offset", expected="a finite number, or one a channel",
                         got=repr(offset)[:80])  # fmt: skip
    return np.broadcast_to(found.reshape(-1), (channels,)).copy()


def _scale(where: str, scale: Any, values: Reals, bits: int) -> Reals:
    """Return what one unit stands for, a channel ``(C,)``."""
    channels = values.shape[2]
    if scale is None:
        largest = float(np.abs(values).max())
        frac = math.floor(math.log2((2**bits - 1) / largest)) if largest else bits
        return np.full(channels, 2.0**-frac)
    try:
        found = np.asarray(scale, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.array(np.nan)
    if found.size not in (1, channels) or not np.all((found > 0) & np.isfinite(found)):
        raise InputError(f"{where} scale", expected="a finite number above 0, or one a channel",
                         got=repr(scale)[:80])  # fmt: skip
    return np.broadcast_to(found.reshape(-1), (channels,)).copy()
