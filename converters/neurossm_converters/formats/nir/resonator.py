"""`ResonateAndFire` as a NIR sub-graph of the proposed nodes, and back.

The sub-graph, without the second line where there is no reset::

    input -> resonator -> spike -> output         StateSpace of one mode, Threshold
    spike -> reset -> resonator                   Reset, `subtract`: of the real part

A complex drive has two inputs per mode, and `StateSpace` takes one.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from neurossm.errors import FormatError, GraphError
from neurossm.nodes import DiagonalSSM, ResonateAndFire
from neurossm_converters.formats.nir.document import Part
from neurossm_converters.formats.nir.leaky import Chain, NodeContext, spread
from neurossm_converters.formats.nir.nodes import PROPOSED, Converter, Entry, converts
from neurossm_converters.formats.nir.proposal import RESET, STATE_SPACE, Real, node_types, word
from neurossm_converters.formats.nir.rates import least
from neurossm_converters.formats.nir.state_space import recurrence_here

KIND = "ResonateAndFire"
RESONATOR = "resonator with a reset"  # the kind of a part that stands for a group
EDGES = {("input", "resonator"), ("resonator", "spike"), ("spike", "output")}
RESET_EDGES = {("spike", "reset"), ("reset", "resonator")}


@converts(ResonateAndFire, PROPOSED)
class _Resonator(Converter[ResonateAndFire]):
    def problem(self, node: ResonateAndFire) -> str:
        if node.drive != "real":
            return "it has a complex drive, and StateSpace takes one input per channel"
        return PROPOSED["DiagonalSSM"].problem(_states(node, 1.0))

    def write(self, node: ResonateAndFire, dt: float) -> Any:
        import nir

        _, reset = node_types()
        shape = np.array([node.out_channels])
        nodes: dict[str, Any] = {
            "input": nir.Input(input_type={"input": shape}),
            "resonator": PROPOSED["DiagonalSSM"].write(_states(node, dt), dt),
            "spike": nir.Threshold(threshold=np.nextafter(np.asarray(node.theta), -np.inf)),
            "output": nir.Output(output_type={"output": shape.copy()}),
        }
        edges = set(EDGES)
        if node.reset == "soft":
            nodes["reset"] = reset(kind="subtract", amount=np.array(node.theta))
            edges |= RESET_EDGES
        return nir.NIRGraph(nodes, sorted(edges), {"neurossm_kind": KIND})

    def read(self, found: Part, entry: Entry, dt: float, where: str) -> ResonateAndFire:
        if found.kind != "NIRGraph" or found.metadata.get("neurossm_kind") != KIND:
            expected = f"a sub-graph with neurossm_kind {KIND!r}"
            raise FormatError(where, expected=expected, got=found.kind[:80])
        states = PROPOSED["DiagonalSSM"].read(found.nodes["resonator"], {}, dt, where)
        theta = np.nextafter(found.nodes["spike"].numbers("threshold", where), np.inf)
        soft = "reset" in found.nodes
        node = ResonateAndFire(
            a_re=states.a_re[:, 0], a_im=states.a_im[:, 0], theta=theta, drive="real",
            reset="soft" if soft else "none",
        )  # fmt: skip
        sound = states == _states(node, dt) and set(found.edges) == EDGES | (
            RESET_EDGES if soft else set()
        )
        if soft:
            reset = found.nodes["reset"]
            word(reset, "kind", where, ("subtract",))
            sound &= reset.kind == RESET and np.array_equal(reset.numbers("amount", where), theta)
        if not sound:
            raise FormatError(where, problem=f"its nodes and edges are not those of a {KIND}")
        return node


def _states(node: ResonateAndFire, dt: float) -> DiagonalSSM:
    """Return the states of a resonator without its spikes, ``y = Re z``."""
    column = np.zeros((node.out_channels, 1))
    flat = column[:, 0]
    return DiagonalSSM(
        a_re=np.asarray(node.a_re)[:, None], a_im=np.asarray(node.a_im)[:, None],
        b_re=column + 1, b_im=column, c_re=column + 0.5, c_im=column, d=flat, drive_re=column,
        drive_im=column, bias=flat, step_size=flat + dt, method="zoh",
    )  # fmt: skip


def resonator(here: NodeContext) -> Chain:
    """Return the neuron of a `StateSpace`, its threshold and the reset of its real part.

    Its state is measured in units of its input: ``x = b z``, with ``2 C b Re z`` compared.
    """
    fields = dict(here.part.fields)
    own = Part(RESET, {name: fields.pop(name) for name in ("v_threshold", "amount")})
    jump = fields.pop("jump")
    _, found = recurrence_here(here, Part(STATE_SPACE, fields))
    bound, amount = (
        spread(own.numbers(name, here.where, infinite=name == "v_threshold"), here.channels,
               f"{here.where}.{name}")
        for name in ("v_threshold", "amount")
    )  # fmt: skip
    gain = _read_gain(here, found)
    size = found["b_re"][:, 0]
    for name, holds, expected in (
        ("kind", jump == "subtract", "subtract, of the real part"),
        ("amount", np.allclose(amount * gain, bound, rtol=1e-9, atol=0),
         "the threshold, in the unit of the state"),
    ):  # fmt: skip
        if not holds:
            got = str(jump) if name == "kind" else f"{amount[0]:g} of {(bound / gain)[0]:g}"
            raise GraphError(f"{here.where}.{name}", expected=expected, got=got)
    theta = least(bound, gain * size, here.compare, here.steps.is_single)
    return [("", ResonateAndFire(a_re=found["a_re"][:, 0], a_im=found["a_im"][:, 0], theta=theta,
                                 reset="soft", drive="real"))]  # fmt: skip


def _read_gain(here: NodeContext, found: dict[str, Any]) -> Real:
    """Return what the real part of a state is multiplied by before it is compared."""
    # what the discretization undoes of a B in a file leaves a rounding in its imaginary part
    size = 1e-12 * found["b_re"]
    plain = (
        ("modes", found["a_re"].shape[1] == 1),
        ("B", np.all(np.abs(found["b_im"]) <= size) and np.all(size > 0)),
        ("C", not np.any(found["c_im"]) and np.all(found["c_re"] > 0)),
        ("drive", not np.any(found["drive_re"]) and not np.any(found["drive_im"])),
        ("D", not np.any(found["d"])),
        ("bias", not np.any(found["bias"])),
    )
    for name, holds in plain:
        if not holds:
            raise GraphError(
                f"{here.where}.{name}",
                expected="a StateSpace with a Reset that is a resonate-and-fire neuron: one mode,"
                " a gain of the input above 0 after discretization, a real C above 0, nothing else",
                got=f"another {name}",
            )
    gain: Real = 2 * found["c_re"][:, 0]
    return gain
