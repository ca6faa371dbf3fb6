"""The contents of a netx file: layers, their fields as plain values, the length of samples.

Layout: groups ``layer/0``, ``layer/1``, ...; in each the datasets ``type``, ``shape``, ``weight``,
``bias`` and others, and a group ``neuron`` of scalars.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError
from neurossm.store.tree import plain, shown
from neurossm_converters.formats.hdf5 import Group, Member, Other, Texts, read_tree

Array = NDArray[np.int64] | NDArray[np.float64]
Value = str | Array | Mapping[str, "Value"]

MAX_LAYERS = 1000


@dataclass(frozen=True)
class Layer:
    """One layer as the file has it.

    Parameters
    ----------
    where
        File and layer, for messages.
    index
        Its number in the file.
    fields
        Everything in its group, and in a group ``neuron`` below it, if there is one.
    """

    where: str
    index: int
    fields: Mapping[str, Value]

    @property
    def kind(self) -> str:
        """Its type: ``input``, ``dense``, ``conv``, ..."""
        return self.text("type")

    @property
    def neuron(self) -> Layer | None:
        """Its neuron, to be read with the same methods; None where there is none."""
        found = self.fields.get("neuron")
        if found is None:
            return None
        if not isinstance(found, Mapping):
            raise FormatError(f"{self.where} neuron", expected="a group", got="a dataset")
        return Layer(f"{self.where} neuron", self.index, found)

    @property
    def channels(self) -> int:
        """Neurons of the layer, the product of ``shape``."""
        sizes = self.integers("shape")
        if not sizes.size or sizes.min() < 1:
            raise FormatError(f"{self.where} shape", expected="sizes from 1", got=shown(sizes))
        return math.prod(sizes.ravel().tolist())

    def text(self, name: str) -> str:
        """Return a string; raise `FormatError` where there is none."""
        value = self._field(name)
        if not isinstance(value, str):
            raise FormatError(f"{self.where} {name}", problem="it is not text")
        return value

    def integer(self, name: str) -> int:
        """Return one whole number; raise `FormatError` for anything else."""
        value = self.integers(name)
        if value.size != 1:
            raise FormatError(f"{self.where} {name}", expected="one number", got=f"{value.size}")
        return int(value.item())

    def integers(self, name: str) -> NDArray[np.int64]:
        """Return an array of whole numbers, in whatever type they are stored."""
        value = self._field(name)
        if not isinstance(value, np.ndarray):
            raise FormatError(f"{self.where} {name}", problem="it is not an array of numbers")
        whole = value.astype(np.int64)
        if not np.array_equal(whole, value):
            raise FormatError(f"{self.where} {name}", expected="whole numbers", got="fractions")
        return whole

    def _field(self, name: str) -> Value:
        if name not in self.fields:
            raise FormatError(f"{self.where}", expected=f"an entry {name!r}", got="none")
        return self.fields[name]


@dataclass(frozen=True)
class Network:
    """Layers in order, and the length of sample that SLAYER wrote beside them, if it did."""

    layers: tuple[Layer, ...]
    steps: int | None


def read_network(path: Path) -> Network:
    """Return what a netx file holds, not yet judged.

    Raises
    ------
    InputError
        If there is no such file or it cannot be read.
    FormatError
        If it is not a whole netx file, or leaves the limits.
    """
    found = read_tree(path, "a netx file (HDF5)")
    tree = _group(found.get("layer"), f"{path}: layer")
    simulation = _group(found.get("simulation", {}), f"{path}: simulation")
    numbers = [str(index) for index in range(len(tree))]
    if not tree or set(numbers) != set(tree) or len(tree) > MAX_LAYERS:
        got = ", ".join(plain(name, 20) for name in sorted(tree)[:8]) or "none"
        raise FormatError(
            f"{path}: layer", expected=f"layers 0, 1, ..., at most {MAX_LAYERS}", got=got
        )
    layers = []
    for index, name in enumerate(numbers):
        where, fields = f"{path}: layer {name}", tree[name]
        if not isinstance(fields, Mapping):
            raise FormatError(where, expected="a group", got="a dataset")
        layers.append(Layer(where, index, fields))
    return Network(tuple(layers), _steps(Layer(f"{path}: simulation", 0, simulation)))


def _group(found: Member | None, where: str) -> dict[str, Value]:
    """Return a group and all below it, its numbers as int64 or float64."""
    if not isinstance(found, Mapping):
        got = found.what if isinstance(found, Other) else "none" if found is None else "a dataset"
        raise FormatError(where, expected="a group", got=got)
    return {name: _value(member, f"{where}/{plain(name)}") for name, member in found.items()}


def _value(found: Group | NDArray[np.generic] | Texts | Other, where: str) -> Value:
    if isinstance(found, Mapping):
        return _group(found, where)
    if isinstance(found, Texts):
        if len(found.values) != 1:
            raise FormatError(where, expected="one text", got=f"shape {found.shape}")
        return found.values[0]
    if isinstance(found, Other):
        raise FormatError(where, expected="numbers or text in this file", got=found.what)
    if found.dtype.kind == "f":
        with np.errstate(invalid="ignore"):  # nan of some patterns; refused in the next lines
            real = found.astype(np.float64)
        if not np.all(np.isfinite(real)):
            raise FormatError(where, expected="finite numbers", got="nan or infinity")
        if real.size and np.abs(real).max() >= 2**53:  # no telling whole numbers from others
            raise FormatError(where, expected="numbers below 2**53", got="larger ones")
        return real
    if found.dtype.kind not in "iub":
        raise FormatError(where, expected="real numbers", got=str(found.dtype))
    whole = found.astype(np.int64)
    if not np.array_equal(whole, found):
        raise FormatError(where, expected="64-bit integers", got="larger ones")
    return whole


def _steps(simulation: Layer) -> int | None:
    if "tSample" not in simulation.fields:
        return None
    steps = simulation.integer("tSample")
    if steps < 1:
        raise FormatError(f"{simulation.where} tSample", expected="at least 1", got=str(steps))
    return steps
