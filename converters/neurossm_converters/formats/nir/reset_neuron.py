"""`LIF` of every kind as a NIR sub-graph with the proposed node `Reset`, and back.

The sub-graph, without the second line where there is no reset, and the third without a trace::

    input -> membrane -> spike -> output          LI (I where nothing leaks), Threshold
    spike -> reset -> membrane                    Reset, `subtract` or `value`
    spike -> refractory -> spike                  Reset, `exponential`

A neuron that NIR has, with a hard reset and without a trace, stays NIR's. Time constants are those
of continuous time; what a step leaves exactly, neurossm keeps in the metadata.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurossm.errors import FormatError
from neurossm.nodes import LIF
from neurossm_converters.formats.nir.document import Part
from neurossm_converters.formats.nir.nodes import CONVERTERS, PROPOSED, Converter, Entry, converts
from neurossm_converters.formats.nir.proposal import EXPONENTIAL, RESET, Real, node_types, word

KIND = "LIF"
LEAKS = ("tau", "rho", "kappa")
KEPT = "exactly_"


@converts(LIF, PROPOSED)
class _Neuron(Converter[LIF]):
    def problem(self, node: LIF) -> str:
        leaks = np.asarray(node.tau)
        if not np.all(leaks > 0):
            return "a tau is 0, which no membrane decays to in one step"
        if np.any(leaks == 1) and not np.all(leaks == 1):
            return "some membranes leak and some do not, which are two nodes in NIR"
        return ""

    def write(self, node: LIF, dt: float) -> Any:
        kept: dict[str, Any] = {KEPT + name: np.asarray(getattr(node, name)) for name in LEAKS}
        official = CONVERTERS["LIF"]
        if not official.problem(node):
            written = official.write(node, dt)
            written.metadata = kept
            return written
        return _subgraph(node, dt, kept)

    def read(self, found: Part, entry: Entry, dt: float, where: str) -> LIF:
        if found.kind in ("LIF", "IF"):
            node: LIF = CONVERTERS["LIF"].read(found, entry, dt, where)
        else:
            node = _neuron_of(found, dt, where)
        given: dict[str, Any] = {
            name: np.asarray(found.metadata[KEPT + name], np.float64) for name in LEAKS
        }
        for name, values in given.items():
            computed = np.asarray(getattr(node, name))
            loose = name == "rho" and not node.has_trace  # without a trace the file has no rho
            if values.shape != computed.shape or not (
                loose or np.allclose(values, computed, rtol=1e-9, atol=1e-12)
            ):
                raise FormatError(where, problem=f"{name} of its metadata is not that of its nodes")
        return LIF(theta=node.theta, reset=node.reset, **given)


def _subgraph(node: LIF, dt: float, kept: dict[str, Any]) -> Any:
    import nir

    _, reset = node_types()
    step, tau, size = 1e3 * dt, np.asarray(node.tau), node.in_channels
    shape = np.array([size])
    nodes: dict[str, Any] = {
        "input": nir.Input(input_type={"input": shape}),
        "membrane": nir.I(r=np.full(size, 1 / step))
        if np.all(tau == 1)
        else nir.LI(tau=-step / np.log(tau), r=1 / (1 - tau), v_leak=np.zeros(size)),
        "spike": nir.Threshold(threshold=np.nextafter(np.asarray(node.theta), -np.inf)),
        "output": nir.Output(output_type={"output": shape.copy()}),
    }
    edges = [("input", "membrane"), ("membrane", "spike"), ("spike", "output")]
    if node.reset != "none":
        soft = node.reset == "soft"
        amount = np.array(node.theta) if soft else np.zeros(size)
        nodes["reset"] = reset(kind="subtract" if soft else "value", amount=amount)
        edges += [("spike", "reset"), ("reset", "membrane")]
    if node.has_trace:
        with np.errstate(divide="ignore"):  # a rho of 0 is a tau of 0
            fades = -step / np.log(np.asarray(node.rho))
        nodes["refractory"] = reset(
            kind=EXPONENTIAL, amplitude=np.array(node.kappa), tau=np.abs(fades)
        )
        edges += [("spike", "refractory"), ("refractory", "spike")]
    return nir.NIRGraph(nodes=nodes, edges=edges, metadata={"neurossm_kind": KIND, **kept})


def _neuron_of(found: Part, dt: float, where: str) -> LIF:
    """Return the neuron of a sub-graph that `_subgraph` made."""
    if found.kind != "NIRGraph" or found.metadata.get("neurossm_kind") != KIND:
        raise FormatError(
            where, expected=f"a sub-graph with neurossm_kind {KIND!r}", got=found.kind[:80]
        )
    membrane = found.nodes["membrane"]
    step, here = 1e3 * dt, f"{where} 'membrane'"
    if membrane.kind == "I":
        tau = np.ones(len(membrane.numbers("r", here)))
        sound = bool(np.all(membrane.numbers("r", here) == 1 / step))
    else:
        tau = np.exp(-step / membrane.numbers("tau", here))
        sound = not np.any(membrane.numbers("v_leak", here)) and np.allclose(
            membrane.numbers("r", here) * (1 - tau), 1, rtol=1e-9, atol=0
        )
    theta = np.nextafter(found.nodes["spike"].numbers("threshold", where), np.inf)
    reset, trace = _resets(found, theta, step, where)
    edges = {("input", "membrane"), ("membrane", "spike"), ("spike", "output")}
    if reset != "none":
        edges |= {("spike", "reset"), ("reset", "membrane")}
    if trace is not None:
        edges |= {("spike", "refractory"), ("refractory", "spike")}
    if not sound or set(found.edges) != edges or len(found.edges) != len(edges):
        raise FormatError(where, problem="its nodes and edges are not those of a LIF")
    rho, kappa = trace or (np.zeros_like(tau), np.zeros_like(tau))
    return LIF(theta=theta, tau=tau, rho=rho, kappa=kappa, reset=reset)


def _resets(
    found: Part, theta: Real, step: float, where: str
) -> tuple[str, tuple[Real, Real] | None]:
    """Return the reset of a neuron, and rho and kappa of its trace."""
    reset = "none"
    if "reset" in found.nodes:
        part, here = found.nodes["reset"], f"{where} 'reset'"
        kind = word(part, "kind", here, ("value", "subtract"))
        reset = "soft" if kind == "subtract" else "hard"
        expected = theta if reset == "soft" else np.zeros_like(theta)
        if part.kind != RESET or not np.array_equal(part.numbers("amount", here), expected):
            raise FormatError(here, problem="amount must be theta to subtract it, else 0")
    if "refractory" not in found.nodes:
        return reset, None
    part, here = found.nodes["refractory"], f"{where} 'refractory'"
    word(part, "kind", here, (EXPONENTIAL,))
    return reset, (fading(part, step, here), part.numbers("amplitude", here))


def fading(part: Part, step: float, where: str) -> Real:
    """Return what a step leaves of the variable of an exponential `Reset`; 0 for a tau of 0."""
    tau = part.numbers("tau", where)
    if not np.all(tau >= 0):
        raise FormatError(f"{where}.tau", expected="at least 0", got=f"{tau.min():g}")
    with np.errstate(divide="ignore"):
        return np.exp(-step / tau)
