"""One node of a float graph as one NIR node, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neurossm.errors import FormatError
from neurossm.fixed import Fixed
from neurossm.nodes import (
    LIF,
    Accumulate,
    Affine,
    DiagonalSSM,
    Input,
    Node,
    Output,
    Sum,
    Threshold,
)
from neurossm_converters.formats.nir.document import Part
from neurossm_converters.formats.nir.ssm import ssm_from_nir, ssm_to_nir

Entry = dict[str, Any]


def structure_entry(node: Node) -> Entry:
    """Return what NIR has no place for in a node: strings and integers, for JSON."""
    entry: Entry = {"type": type(node).__name__}
    if isinstance(node, Input) and node.out is not None:
        return entry | {"bits": node.out.bits, "frac": node.out.frac, "kind": node.out.kind}
    if isinstance(node, Sum):
        return entry | {"channels": node.channels}
    if isinstance(node, Accumulate):
        return entry | {"steps": node.steps}
    return entry


def _input_to_nir(node: Input, dt: float) -> Any:
    import nir

    return nir.Input(input_type={"input": np.array([node.channels])})


def _output_to_nir(node: Output, dt: float) -> Any:
    import nir

    return nir.Output(output_type={"output": np.array([node.channels])})


def _affine_to_nir(node: Affine, dt: float) -> Any:
    import nir

    return nir.Affine(weight=np.array(node.weight), bias=np.array(node.bias))


def _threshold_to_nir(node: Threshold, dt: float) -> Any:
    import nir

    return nir.Threshold(threshold=np.nextafter(np.asarray(node.theta), -np.inf))


def lif_problem(node: LIF) -> str:
    """Return why NIR's `LIF` is not this one, or an empty string."""
    if node.reset != "hard":
        return f"NIR resets a membrane to a value, not {node.reset!r}"
    if np.any(np.asarray(node.rho)) or node.has_trace:
        return "NIR has no refractory trace"
    leaks = np.asarray(node.tau)
    if not np.all(leaks > 0):
        return "a tau is 0, which no membrane decays to in one step"
    if np.any(leaks == 1) and not np.all(leaks == 1):
        return "some membranes leak and some do not, which are two nodes in NIR"
    return ""


def _lif_to_nir(node: LIF, dt: float) -> Any:
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


def _accumulate_to_nir(node: Accumulate, dt: float) -> Any:
    import nir

    return nir.I(r=np.full(node.channels, 1 / (1e3 * dt)))


def _input_from_nir(found: Part, entry: Entry, dt: float, where: str) -> Input:
    _expect(found, "Input", where)
    out = Fixed(entry["bits"], entry["frac"], entry["kind"])
    return Input(channels=_channels(found, where), out=out)


def _output_from_nir(found: Part, entry: Entry, dt: float, where: str) -> Output:
    _expect(found, "Output", where)
    return Output(channels=_channels(found, where))


def _affine_from_nir(found: Part, entry: Entry, dt: float, where: str) -> Affine:
    _expect(found, "Affine", where)
    return Affine(weight=found.numbers("weight", where), bias=found.numbers("bias", where))


def _ssm_from_nir(found: Part, entry: Entry, dt: float, where: str) -> DiagonalSSM:
    return ssm_from_nir(found, dt, where)


def _threshold_from_nir(found: Part, entry: Entry, dt: float, where: str) -> Threshold:
    _expect(found, "Threshold", where)
    return Threshold(theta=np.nextafter(found.numbers("threshold", where), np.inf))


def _lif_from_nir(found: Part, entry: Entry, dt: float, where: str) -> LIF:
    if found.kind == "IF":
        return _if_from_nir(found, dt, where)
    _expect(found, "LIF", where)
    names = ("tau", "r", "v_leak", "v_threshold", "v_reset")
    tau_ms, r, v_leak, v_threshold, v_reset = (found.numbers(name, where) for name in names)
    tau, zeros = np.exp(-1e3 * dt / tau_ms), np.zeros(len(tau_ms))
    plain = not np.any(v_leak) and not np.any(v_reset)
    if not plain or not np.allclose(r * (1 - tau), 1, rtol=1e-9, atol=0):
        raise FormatError(
            where, expected="rest and reset at 0 and r = 1 / (1 - exp(-dt/tau))", got="others"
        )
    theta = np.nextafter(v_threshold, np.inf)
    return LIF(theta=theta, tau=tau, rho=zeros, kappa=zeros, reset="hard")


def _if_from_nir(found: Part, dt: float, where: str) -> LIF:
    r, v_threshold, v_reset = (found.numbers(n, where) for n in ("r", "v_threshold", "v_reset"))
    if np.any(v_reset) or not np.all(r == 1 / (1e3 * dt)):
        expected = f"a reset to 0 and r = 1/dt = {1 / (1e3 * dt):g}"
        raise FormatError(where, expected=expected, got="others")
    ones, zeros = np.ones(len(r)), np.zeros(len(r))
    theta = np.nextafter(v_threshold, np.inf)
    return LIF(theta=theta, tau=ones, rho=zeros, kappa=zeros, reset="hard")


def _accumulate_from_nir(found: Part, entry: Entry, dt: float, where: str) -> Accumulate:
    _expect(found, "I", where)
    r = found.numbers("r", where)
    if not np.all(r == 1 / (1e3 * dt)):
        raise FormatError(where, expected=f"r = 1/dt = {1 / (1e3 * dt):g}", got="another")
    return Accumulate(channels=len(r), steps=entry["steps"])


def _channels(found: Part, where: str) -> int:
    shape = found.numbers("shape", where)
    if shape.shape != (1,):
        raise FormatError(f"{where}.shape", expected="one number", got=f"shape {shape.shape}")
    return int(shape[0])


def _expect(found: Part, name: str, where: str) -> None:
    if found.kind != name:
        raise FormatError(where, expected=f"a NIR {name}", got=found.kind[:80])


TO_NIR: dict[type[Node], Callable[..., Any]] = {
    Input: _input_to_nir,
    Output: _output_to_nir,
    Affine: _affine_to_nir,
    DiagonalSSM: ssm_to_nir,
    Threshold: _threshold_to_nir,
    LIF: _lif_to_nir,
    Accumulate: _accumulate_to_nir,
}
FROM_NIR: dict[str, Callable[..., Node]] = {
    "Input": _input_from_nir,
    "Output": _output_from_nir,
    "Affine": _affine_from_nir,
    "DiagonalSSM": _ssm_from_nir,
    "Threshold": _threshold_from_nir,
    "LIF": _lif_from_nir,
    "Accumulate": _accumulate_from_nir,
}
