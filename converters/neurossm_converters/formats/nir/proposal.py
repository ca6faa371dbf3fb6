"""Two nodes that NIR lacks, as docs/explanation/nir-proposal.md proposes them.

================ =================================================================================
`StateSpace`     a bank of diagonal complex systems, ``dx/dt = A x + B u + drive`` and
                 ``y = 2 Re(sum C x) + D u + bias``, with the discretization and the step it was
                 trained with
`Reset`          what a spike does: a jump of the state that it feeds (``value``, ``subtract``), or
                 a decaying variable, taken off what a `Threshold` compares (``exponential``)
================ =================================================================================

No released reader knows them, so they are written and read only on request. One step of
`StateSpace` is ``x' = pole x + gain (B u + drive)``::

    zoh        pole = exp(A dt)                       gain = (exp(A dt) - 1) / A, dt where A is 0
    bilinear   pole = (1 + A dt/2) / (1 - A dt/2)     gain = dt / (1 - A dt/2)
    dirac      pole = exp(A dt)                       gain = dt
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError, GraphError
from neurossm_converters.formats.nir.document import Part, one_number

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

VERSION = 1
VERSION_KEY = "nir_proposal"  # in the metadata of a graph
STATE_SPACE, RESET = "StateSpace", "Reset"
RULES = ("zoh", "bilinear", "dirac")
JUMPS, EXPONENTIAL = ("value", "subtract"), "exponential"
FIELDS = {
    STATE_SPACE: frozenset(
        {"A_re", "A_im", "B_re", "B_im", "C_re", "C_im", "drive_re", "drive_im", "D", "bias", "dt",
         "unit", "discretization"}
    ),
    RESET: frozenset({"kind", "amount", "amplitude", "tau"}),
}  # fmt: skip


@cache
def node_types() -> tuple[type[Any], type[Any]]:
    """Return the classes `StateSpace` and `Reset`, for the `nir` library to write.

    Fields are arrays of one shape, ``(channels, modes)`` or ``(channels,)``, as in all of NIR, and
    real numbers, as no back end reads complex ones.
    """
    import nir

    @dataclass(eq=False)
    class StateSpace(nir.NIRNode):  # type: ignore[misc]
        A_re: Real
        A_im: Real
        B_re: Real
        B_im: Real
        C_re: Real
        C_im: Real
        drive_re: Real
        drive_im: Real
        D: Real
        bias: Real
        dt: float
        unit: str
        discretization: str

        def __post_init__(self) -> None:
            self.input_type = {"input": np.array(self.D.shape)}
            self.output_type = {"output": np.array(self.D.shape)}

    @dataclass(eq=False)
    class Reset(nir.NIRNode):  # type: ignore[misc]
        kind: str
        amount: Real | None = None
        amplitude: Real | None = None
        tau: Real | None = None

        def __post_init__(self) -> None:
            size = self.amplitude if self.amount is None else self.amount
            assert size is not None
            self.input_type = {"input": np.array(size.shape)}
            self.output_type = {"output": np.array(size.shape)}

        def to_dict(self) -> dict[str, Any]:
            return {name: value for name, value in super().to_dict().items() if value is not None}

    return StateSpace, Reset


def discretized(rule: str, a: Complex, dt: float) -> tuple[Complex, Complex]:
    """Return pole and gain of one step.

    A field `drive` takes the gain of the input: what stands in front of B, such as the offset of a
    norm, is discretized as the input is.

    Parameters
    ----------
    rule
        One of `RULES`.
    a
        A, per unit of time.
    dt
        A step, in that unit.
    """
    turn = a * dt
    if rule == "bilinear":
        below: Complex = 1 - turn / 2
        return (1 + turn / 2) / below, dt / below
    if rule == "dirac":
        return np.exp(turn), np.full(a.shape, dt, np.complex128)
    still = turn == 0
    held: Complex = np.where(still, 1, np.expm1(turn) / np.where(still, 1, turn))
    return np.exp(turn), dt * held


def continuous(rule: str, pole: Complex, dt: float) -> Complex:
    """Return the A whose pole this is; the logarithm is the principal one."""
    if rule == "bilinear":
        found: Complex = 2 / dt * (pole - 1) / (pole + 1)
        return found
    logarithm: Complex = np.log(pole)
    return logarithm / dt


def proposed_in(document: Part) -> tuple[str, ...]:
    """Return which of the two nodes are in a graph, at any depth."""
    found = {part.kind for part in document.nodes.values()} & {STATE_SPACE, RESET}
    for part in document.nodes.values():
        found.update(proposed_in(part))
    return tuple(name for name in (STATE_SPACE, RESET) if name in found)


def check_version(document: Part) -> None:
    """Refuse a graph of another version of the proposal; one that says none is taken as it is."""
    if VERSION_KEY not in document.metadata:
        return
    version = one_number(document.metadata, VERSION_KEY, "NIR")
    if version != VERSION:
        raise FormatError(
            f"NIR metadata {VERSION_KEY}", expected=f"version {VERSION} of the proposed nodes",
            got=f"{version:g}",
        )  # fmt: skip


def check_allowed(document: Part, allowed: bool) -> None:
    """Refuse proposed nodes that nobody asked for, and another version of them."""
    found = proposed_in(document)
    if not allowed and (found or VERSION_KEY in document.metadata):
        raise GraphError(
            "NIR graph", expected="nodes that a release of NIR has",
            got=" and ".join(found) or f"one that says {VERSION_KEY}",
            remedy="import it with --proposed; docs/explanation/nir-proposal.md explains them",
        )  # fmt: skip
    check_version(document)


def word(found: Part, name: str, where: str, known: tuple[str, ...]) -> str:
    """Return a field that is one of some words; `FormatError` if it is none."""
    said = found.fields.get(name)
    if not isinstance(said, str) or said not in known:
        got = repr(said[:80]) if isinstance(said, str) else "none" if said is None else "numbers"
        raise FormatError(f"{where}.{name}", expected=" | ".join(known), got=got)
    return said
