"""Converters between single nodes of a float graph and of NIR, one per node type.

To add a node: write its converter here, or say in its class why NIR cannot hold it (`Node.nir`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import numpy as np

from neurossm.errors import FormatError
from neurossm.fixed import Fixed
from neurossm.nodes import (
    LIF,
    Accumulate,
    Affine,
    Conv2d,
    DiagonalSSM,
    Input,
    Node,
    Output,
    Sum,
    Threshold,
)
from neurossm_converters.formats.nir import windows
from neurossm_converters.formats.nir.document import Part
from neurossm_converters.formats.nir.ssm import ssm_from_nir, ssm_problem, ssm_to_nir

Entry = dict[str, Any]
N = TypeVar("N", bound=Node)
C = TypeVar("C", bound="type[Converter[Any]]")


class Converter(ABC, Generic[N]):
    """How a type of node is written as a NIR node, and read back.

    Attributes
    ----------
    in_edges
        True where it becomes no node: the edges of its operands go on to its receivers.
    """

    in_edges = False

    def problem(self, node: N) -> str:
        """Return why NIR cannot hold this one, or an empty string."""
        return ""

    @abstractmethod
    def write(self, node: N, dt: float) -> Any:
        """Return the NIR node; not called where it is `in_edges`."""

    @abstractmethod
    def read(self, found: Part, entry: Entry, dt: float, where: str) -> N:
        """Return what `write` was given; `entry` is what stood beside it."""

    def beside(self, node: N) -> Entry:
        """Return what NIR has no place for: strings and integers, for JSON."""
        return {}


CONVERTERS: dict[str, Converter[Any]] = {}
PROPOSED: dict[str, Converter[Any]] = {}  # in place of these, where proposed nodes are allowed


def converts(cls: type[Node], table: dict[str, Converter[Any]] = CONVERTERS) -> Callable[[C], C]:
    """Make a class the converter of a type of node."""

    def enter(converter: C) -> C:
        table[cls.__name__] = converter()
        return converter

    return enter


def converter_of(kind: str, proposed: bool = False) -> Converter[Any] | None:
    """Return the converter of a type of node; None where NIR has no such node.

    `proposed` allows the nodes that docs/explanation/nir-proposal.md proposes.
    """
    return (PROPOSED.get(kind) if proposed else None) or CONVERTERS.get(kind)


@converts(Input)
class _Input(Converter[Input]):
    def write(self, node: Input, dt: float) -> Any:
        import nir

        return nir.Input(input_type={"input": np.array([node.channels])})

    def read(self, found: Part, entry: Entry, dt: float, where: str) -> Input:
        _expect(found, "Input", where)
        out = Fixed(entry["bits"], entry["frac"], entry["kind"])
        return Input(channels=_channels(found, where), out=out)

    def beside(self, node: Input) -> Entry:
        assert node.out is not None  # an Input always has a format
        return {"bits": node.out.bits, "frac": node.out.frac, "kind": node.out.kind}


@converts(Output)
class _Output(Converter[Output]):
    def write(self, node: Output, dt: float) -> Any:
        import nir

        return nir.Output(output_type={"output": np.array([node.channels])})

    def read(self, found: Part, entry: Entry, dt: float, where: str) -> Output:
        _expect(found, "Output", where)
        return Output(channels=_channels(found, where))


@converts(Affine)
class _Affine(Converter[Affine]):
    def write(self, node: Affine, dt: float) -> Any:
        import nir

        return nir.Affine(weight=np.array(node.weight), bias=np.array(node.bias))

    def read(self, found: Part, entry: Entry, dt: float, where: str) -> Affine:
        _expect(found, "Affine", where)
        sparse = bool(entry.get("sparse", False))
        weight, bias = found.numbers("weight", where), found.numbers("bias", where)
        return Affine(weight=weight, bias=bias, sparse=sparse)

    def beside(self, node: Affine) -> Entry:
        # the zeros stand in NIR's weight, and mean the same
        return {"sparse": 1} if node.sparse else {}


@converts(Conv2d)
class _Conv2d(Converter[Conv2d]):
    def write(self, node: Conv2d, dt: float) -> Any:
        return windows.write(node, is_line=False)

    def read(self, found: Part, entry: Entry, dt: float, where: str) -> Conv2d:
        return windows.read(found, entry["groups"], entry["in_shape"], where)

    def beside(self, node: Conv2d) -> Entry:
        return {"groups": node.groups, "in_shape": list(node.windows.in_shape)}


@converts(DiagonalSSM)
class _DiagonalSSM(Converter[DiagonalSSM]):
    def problem(self, node: DiagonalSSM) -> str:
        return ssm_problem(node)

    def write(self, node: DiagonalSSM, dt: float) -> Any:
        return ssm_to_nir(node, dt)

    def read(self, found: Part, entry: Entry, dt: float, where: str) -> DiagonalSSM:
        return ssm_from_nir(found, dt, where)


@converts(Sum)
class _Sum(Converter[Sum]):
    in_edges = True

    def write(self, node: Sum, dt: float) -> None:
        """Return nothing: edges that meet in NIR add."""

    def read(self, found: Part, entry: Entry, dt: float, where: str) -> Sum:
        return Sum(channels=entry["channels"])

    def beside(self, node: Sum) -> Entry:
        return {"channels": node.channels}


@converts(Threshold)
class _Threshold(Converter[Threshold]):
    def write(self, node: Threshold, dt: float) -> Any:
        import nir

        return nir.Threshold(threshold=np.nextafter(np.asarray(node.theta), -np.inf))

    def read(self, found: Part, entry: Entry, dt: float, where: str) -> Threshold:
        _expect(found, "Threshold", where)
        return Threshold(theta=np.nextafter(found.numbers("threshold", where), np.inf))


@converts(LIF)
class _LIF(Converter[LIF]):
    def problem(self, node: LIF) -> str:
        if node.reset != "hard":
            return f"NIR resets a membrane to a value, not {node.reset!r}"
        if np.any(np.asarray(node.rho)) or node.has_trace:
            return "NIR has no refractory variable"
        leaks = np.asarray(node.tau)
        if not np.all(leaks > 0):
            return "a tau is 0, which no membrane decays to in one step"
        if np.any(leaks == 1) and not np.all(leaks == 1):
            return "some membranes leak and some do not, which are two nodes in NIR"
        return ""

    def write(self, node: LIF, dt: float) -> Any:
        import nir

        tau, zeros = np.asarray(node.tau), np.zeros(node.in_channels)
        threshold = np.nextafter(np.asarray(node.theta), -np.inf)
        # in either a held input raises the membrane by itself in one step
        if np.all(tau == 1):
            return nir.IF(r=np.full_like(tau, 1 / (1e3 * dt)), v_threshold=threshold, v_reset=zeros)
        return nir.LIF(
            tau=-1e3 * dt / np.log(tau),
            r=1 / (1 - tau),
            v_leak=zeros,
            v_threshold=threshold,
            v_reset=zeros,
        )

    def read(self, found: Part, entry: Entry, dt: float, where: str) -> LIF:
        if found.kind == "IF":
            return _if_from_nir(found, dt, where)
        _expect(found, "LIF", where)
        names = ("tau", "r", "v_leak", "v_threshold", "v_reset")
        tau_ms, r, v_leak, v_threshold, v_reset = (found.numbers(name, where) for name in names)
        tau, zeros = np.exp(-1e3 * dt / tau_ms), np.zeros(len(tau_ms))
        plain = not np.any(v_leak) and not np.any(v_reset)
        if not plain or not np.allclose(r * (1 - tau), 1, rtol=1e-9, atol=0):
            raise FormatError(
                where, problem="v_leak and v_reset must be 0, and r = 1 / (1 - exp(-dt/tau))"
            )
        theta = np.nextafter(v_threshold, np.inf)
        return LIF(theta=theta, tau=tau, rho=zeros, kappa=zeros, reset="hard")


def _if_from_nir(found: Part, dt: float, where: str) -> LIF:
    r, v_threshold, v_reset = (found.numbers(n, where) for n in ("r", "v_threshold", "v_reset"))
    if np.any(v_reset) or not np.all(r == 1 / (1e3 * dt)):
        problem = f"v_reset must be 0, and r = 1/dt = {1 / (1e3 * dt):g}"
        raise FormatError(where, problem=problem)
    ones, zeros = np.ones(len(r)), np.zeros(len(r))
    theta = np.nextafter(v_threshold, np.inf)
    return LIF(theta=theta, tau=ones, rho=zeros, kappa=zeros, reset="hard")


@converts(Accumulate)
class _Accumulate(Converter[Accumulate]):
    def write(self, node: Accumulate, dt: float) -> Any:
        import nir

        return nir.I(r=np.full(node.channels, 1 / (1e3 * dt)))

    def read(self, found: Part, entry: Entry, dt: float, where: str) -> Accumulate:
        _expect(found, "I", where)
        r = found.numbers("r", where)
        if not np.all(r == 1 / (1e3 * dt)):
            raise FormatError(where, problem=f"r must be 1/dt = {1 / (1e3 * dt):g}")
        return Accumulate(channels=len(r), steps=entry["steps"])

    def beside(self, node: Accumulate) -> Entry:
        return {"steps": node.steps}


def _channels(found: Part, where: str) -> int:
    shape = found.numbers("shape", where)
    if shape.ndim != 1 or not 1 <= shape.size <= 3:
        raise FormatError(f"{where}.shape", expected="one to three numbers",
                          got=f"shape {shape.shape}")  # fmt: skip
    return int(np.prod(shape))


def _expect(found: Part, name: str, where: str) -> None:
    if found.kind != name:
        raise FormatError(where, expected=f"a NIR {name}", got=found.kind[:80])
