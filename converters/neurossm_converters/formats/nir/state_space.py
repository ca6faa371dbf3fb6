"""`DiagonalSSM` as the proposed NIR node `StateSpace`, and back.

The file holds A and B of continuous time, for readers with another step; the recurrence of the
graph follows from them to rounding. What it is exactly, neurossm leaves in the node's metadata,
which no reader needs.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurossm.errors import FormatError, GraphError
from neurossm.nodes import DiagonalSSM
from neurossm_converters.formats.nir.convention import UNITS
from neurossm_converters.formats.nir.document import Part
from neurossm_converters.formats.nir.leaky import Chain, NodeContext
from neurossm_converters.formats.nir.nodes import PROPOSED, Converter, Entry, converts
from neurossm_converters.formats.nir.proposal import (
    RULES,
    STATE_SPACE,
    Complex,
    continuous,
    discretized,
    node_types,
    word,
)
from neurossm_converters.formats.nir.ssm import complex_of

EXACT = "exactly_"  # what names in the metadata begin with
KEPT = ("a_re", "a_im", "b_re", "b_im", "drive_re", "drive_im")


@converts(DiagonalSSM, PROPOSED)
class _StateSpace(Converter[DiagonalSSM]):
    def problem(self, node: DiagonalSSM) -> str:
        if _rule(node):
            return ""
        return "it has poles at 0 and at -1: no discretization of a continuous state has both"

    def write(self, node: DiagonalSSM, dt: float) -> Any:
        rule, step = _rule(node), 1e3 * dt
        a = continuous(rule, complex_of(node.a_re, node.a_im), step)
        _, gain = discretized(rule, a, step)
        b, drive = complex_of(node.b_re, node.b_im), complex_of(node.drive_re, node.drive_im)
        parts = {"A": a, "B": b / gain, "drive": drive / gain}
        kept: dict[str, Any] = {f"{EXACT}{name}": np.asarray(getattr(node, name)) for name in KEPT}
        made, _ = node_types()
        return made(
            **{f"{name}_re": value.real.copy() for name, value in parts.items()},
            **{f"{name}_im": value.imag.copy() for name, value in parts.items()},
            C_re=np.array(node.c_re), C_im=np.array(node.c_im), D=np.array(node.d),
            bias=np.array(node.bias), dt=step, unit="ms", discretization=rule,
            metadata=kept | {"step_size": np.array(node.step_size), "method": node.method},
        )  # fmt: skip

    def read(self, found: Part, entry: Entry, dt: float, where: str) -> DiagonalSSM:
        if found.kind != STATE_SPACE:
            raise FormatError(where, expected=f"a proposed NIR {STATE_SPACE}", got=found.kind[:80])
        seconds, fields = recurrence(found, where)
        if not np.isclose(seconds, dt, rtol=1e-9, atol=0):
            raise FormatError(f"{where}.dt", expected=f"{dt:g} s", got=f"{seconds:g} s")
        for name in KEPT:
            given = np.asarray(found.metadata[EXACT + name], np.float64)
            slack = 1e-9 * float(np.abs(fields[name]).max(initial=0.0)) + 1e-12
            if given.shape != fields[name].shape or not np.all(
                np.abs(given - fields[name]) <= slack
            ):
                raise FormatError(
                    where, problem=f"{name} of its metadata is not that of its A and B"
                )
            fields[name] = given
        method = str(found.metadata["method"])
        return DiagonalSSM(**fields, step_size=found.metadata["step_size"], method=method)


def _rule(node: DiagonalSSM) -> str:
    """Return the discretization that has all poles: the node's own if it does, else the other."""
    pole = complex_of(node.a_re, node.a_im)
    without = {"zoh": 0, "bilinear": -1}
    order = sorted(without, key=lambda rule: rule != node.method)
    return next((rule for rule in order if not np.any(pole == without[rule])), "")


def recurrence(found: Part, where: str) -> tuple[float, dict[str, Any]]:
    """Return the step in seconds, and the fields of the `DiagonalSSM` of a `StateSpace`.

    Raises
    ------
    FormatError
        If a field is missing, has another shape than the others, or is not finite.
    """
    rule = word(found, "discretization", where, RULES)
    seconds = step_of(found, where)
    step = seconds * UNITS[word(found, "unit", where, tuple(UNITS))]
    a, b, c, drive = (_pair(found, name, where) for name in ("A", "B", "C", "drive"))
    channels = {name: found.numbers(name, where) for name in ("D", "bias")}
    for name, values in {"B": b, "C": c, "drive": drive, **channels}.items():
        shape = a.shape if name in ("B", "C", "drive") else a.shape[:1]
        if a.ndim != 2 or values.shape != shape:
            expected = "(channels, modes) for A, B, C and drive, (channels,) for D and bias"
            got = f"A {a.shape}, {name} {values.shape}"
            raise FormatError(where, expected=expected, got=got)
    pole, gain = discretized(rule, a, step)
    b, drive = gain * b, gain * drive
    pairs = {"a": pole, "b": b, "c": c, "drive": drive}
    return seconds, {
        **{f"{name}_re": value.real for name, value in pairs.items()},
        **{f"{name}_im": value.imag for name, value in pairs.items()},
        "d": channels["D"], "bias": channels["bias"],
    }  # fmt: skip


def step_of(found: Part, where: str) -> float:
    """Return the step of a `StateSpace` in seconds."""
    dt = found.numbers("dt", where)
    if dt.size != 1 or not float(dt.item()) > 0:
        raise FormatError(f"{where}.dt", expected="one number above 0", got=str(dt.ravel()[:4]))
    return float(dt.item()) / UNITS[word(found, "unit", where, tuple(UNITS))]


def steps_named(document: Part) -> list[float]:
    """Return the steps in seconds that the `StateSpace` nodes of a graph name."""
    found: list[float] = []
    for name, part in document.nodes.items():
        if part.kind == STATE_SPACE:
            found.append(step_of(part, f"NIR node {name!r}"))
        found += steps_named(part)
    return found


def _pair(found: Part, name: str, where: str) -> Complex:
    parts = [found.numbers(f"{name}_{part}", where) for part in ("re", "im")]
    if parts[0].shape != parts[1].shape:
        got = f"{parts[0].shape} and {parts[1].shape}"
        raise FormatError(f"{where}.{name}", expected="two parts of one shape", got=got)
    return complex_of(*parts)


def recurrence_here(here: NodeContext, part: Part) -> tuple[float, dict[str, Any]]:
    """Return what `recurrence` does, of a step that is the graph's."""
    seconds, fields = recurrence(part, here.where)
    known = here.steps.dt
    if known is not None and not np.isclose(seconds, known, rtol=1e-9, atol=0):
        raise GraphError(
            f"{here.where}.dt", expected=f"the step that the others have, {known:g} s",
            got=f"{seconds:g} s", remedy="leave --dt out, and train all layers with one step",
        )  # fmt: skip
    return seconds, fields


def state_space(here: NodeContext) -> Chain:
    """Return the node of a `StateSpace` of any tool."""
    seconds, fields = recurrence_here(here, here.part)
    rule = word(here.part, "discretization", here.where, RULES)
    step_size = np.full(len(fields["d"]), seconds)
    method = "bilinear" if rule == "bilinear" else "zoh"  # information only
    return [("", DiagonalSSM(**fields, step_size=step_size, method=method))]
