"""Node to process: the parameters, shifts and widths that each process holds as Vars."""

from __future__ import annotations

from typing import Any, Callable, Dict

import numpy as np

from neurossm_chip.nssm import Fixed, Node

Variables = Dict[str, Any]
ENTRY_BITS = 24
NO_SATURATION = 40  # wider than the 32 bits in which synapses add up


def variables(node: Node, arriving: list[Fixed]) -> tuple[Variables, Variables]:
    """Return parameters, and states with their initial zeros, of the process of a node.

    `arriving` are the formats of the messages on its edges, in their order. Where several edges
    converge the contract saturates their sum on entry; an `Affine` adds them all exactly.
    """
    several = len(arriving) > 1 and node.type != "Affine"
    entry = {"entry_bits": ENTRY_BITS if several else NO_SATURATION}
    parameters, states = _PROGRAMS[node.type](node, arriving)
    return dict(entry, **parameters), states


def _affine(node: Node, arriving: list[Fixed]) -> tuple[Variables, Variables]:
    return {"bias": node.values("bias"), "out_bits": node.out.bits}, {}


def _ssm(node: Node, arriving: list[Fixed]) -> tuple[Variables, Variables]:
    u, y, state = arriving[0].frac, node.out.frac, node.frac("drive_re")
    names = ("a_re", "a_im", "b_re", "b_im", "c_re", "c_im", "drive_re", "drive_im", "d", "bias")
    parameters = {name: node.values(name) for name in names}
    parameters.update(
        a_shift=node.frac("a_re")[:, None],
        b_shift=(node.frac("b_re") + u - state)[:, None],
        c_shift=(node.frac("c_re") + state - 1 - y)[:, None],  # the 1: y = 2 Re(C x)
        d_shift=node.frac("d") + u - y,
        state_bits=node.bits("drive_re"),
        out_bits=node.out.bits,
    )
    zeros = np.zeros(node.values("a_re").shape, np.int64)
    return parameters, {"re": zeros, "im": zeros}


def _threshold(node: Node, arriving: list[Fixed]) -> tuple[Variables, Variables]:
    return {"theta": node.values("theta")}, {}


def _ternary(node: Node, arriving: list[Fixed]) -> tuple[Variables, Variables]:
    return {"delta": node.values("delta")}, {}


def _lif(node: Node, arriving: list[Fixed]) -> tuple[Variables, Variables]:
    parameters = {name: node.values(name) for name in ("theta", "tau", "rho", "kappa")}
    reset = node.fields["reset"]
    parameters.update(
        leak_shift=node.one_frac("tau"),
        right=arriving[0].frac - node.frac("theta"),
        hard=int(reset == "hard"),
        soft=int(reset == "soft"),
        state_bits=node.bits("theta"),
    )
    zeros = np.zeros(node.channels, np.int64)
    return parameters, {"u": zeros, "r": zeros}


def _embedding(node: Node, arriving: list[Fixed]) -> tuple[Variables, Variables]:
    return {"table": node.values("table")}, {}


def _sum(node: Node, arriving: list[Fixed]) -> tuple[Variables, Variables]:
    shifts = [fmt.frac - node.out.frac for fmt in arriving]
    return {"shifts": shifts, "out_bits": node.out.bits}, {}


def _product(node: Node, arriving: list[Fixed]) -> tuple[Variables, Variables]:
    right = arriving[0].frac + arriving[1].frac - node.out.frac
    return {"right": right, "out_bits": node.out.bits}, {}


def _piecewise(node: Node, arriving: list[Fixed]) -> tuple[Variables, Variables]:
    parameters = {name: node.values(name) for name in ("knots", "slopes", "offsets")}
    right = node.one_frac("slopes") + arriving[0].frac - node.out.frac
    return dict(parameters, right=right, out_bits=node.out.bits), {}


def _accumulate(node: Node, arriving: list[Fixed]) -> tuple[Variables, Variables]:
    parameters = {
        "right": arriving[0].frac - node.out.frac,
        "term_bits": node.fields["term_bits"],
        "out_bits": node.out.bits,
    }
    return parameters, {"sum": np.zeros(node.channels, np.int64)}


_PROGRAMS: dict[str, Callable[[Node, list[Fixed]], tuple[Variables, Variables]]] = {
    "Affine": _affine,
    "DiagonalSSM": _ssm,
    "Threshold": _threshold,
    "TernaryThreshold": _ternary,
    "LIF": _lif,
    "Embedding": _embedding,
    "Sum": _sum,
    "Product": _product,
    "PiecewiseLinear": _piecewise,
    "Accumulate": _accumulate,
}


def states_of(node: Node) -> tuple[str, ...]:
    """Return the parts of the state of a node that golden vectors hold."""
    if node.type == "LIF":
        return ("u", "r") if node.values("kappa").any() else ("u",)
    return {"DiagonalSSM": ("re", "im"), "Accumulate": ("sum",)}.get(node.type, ())
