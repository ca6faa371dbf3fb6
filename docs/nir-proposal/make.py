"""Make the conformance vectors of the proposed NIR nodes: NAME.nir and NAME.json, in this folder.

    python docs/nir-proposal/make.py [FOLDER]

It needs NumPy, SciPy and h5py, and nothing of neurossm or nir: the files are written by h5py, and
what they must give is computed here from the equations. States are solved as real pairs, by the
exponential of the matrix of a pair with its held input, or by a linear system. Spikes are
computed in fractions, where no rounding decides a comparison.
"""

from __future__ import annotations

import json
import math
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from scipy.linalg import expm

HERE = Path(__file__).parent
HALF = 1 / math.log(2)  # a time constant that leaves a half after a step of 1
Node = dict[str, Any]


# -- files -----------------------------------------------------------------------


def write(path: Path, nodes: dict[str, Node], edges: list[str]) -> None:
    """Write a NIR file; edges are ``a b``."""
    with h5py.File(path, "w", libver="latest") as file:
        file["version"] = "1.0.8"
        graph = file.create_group("node")
        graph["type"] = "NIRGraph"
        graph.create_dataset(
            "edges", data=[edge.split() for edge in edges], dtype=h5py.string_dtype()
        )
        for name, fields in nodes.items():
            group = graph.create_group(f"nodes/{name}")
            for field, value in fields.items():
                group[field] = value if isinstance(value, str) else np.asarray(value)


def ends(inputs: int, outputs: int) -> dict[str, Node]:
    """Return Input and Output."""
    return {"input": {"type": "Input", "shape": [inputs]},
            "output": {"type": "Output", "shape": [outputs]}}  # fmt: skip


def publish(
    folder: Path, name: str, what: str, dt: float, nodes: dict[str, Node], edges: list[str],
    given: Any, expected: Any, tolerance: float,
) -> None:  # fmt: skip
    """Write a vector: the file, and as JSON its step, and inputs and outputs, (T, channels)."""
    write(folder / f"{name}.nir", nodes, edges)
    said = {"what": what, "dt_ms": dt, "tolerance": tolerance, "input": np.asarray(given).tolist(),
            "output": np.asarray(expected).tolist()}  # fmt: skip
    (folder / f"{name}.json").write_text(json.dumps(said, indent=None) + "\n")


# -- StateSpace ------------------------------------------------------------------


def bank(**changes: Any) -> Node:
    """Return a `StateSpace` of two channels with two modes: slow and fast, real and turning."""
    zeros = np.zeros((2, 2))
    fields: Node = {
        "A_re": np.array([[-0.02, -0.5], [-3.0, -1e-3]]),  # per ms
        "A_im": np.array([[0.4, 0.0], [2.5, -1.3]]),
        "B_re": np.array([[1.0, -0.5], [2.0, 0.25]]),
        "B_im": np.array([[0.0, 0.75], [-1.0, 0.5]]),
        "C_re": np.array([[0.5, 1.0], [-0.25, 0.125]]),
        "C_im": np.array([[-1.0, 0.5], [0.75, 2.0]]),
        "drive_re": zeros, "drive_im": zeros, "D": np.zeros(2), "bias": np.zeros(2),
        "dt": 0.5, "unit": "ms", "discretization": "zoh",
    }  # fmt: skip
    return {"type": "StateSpace", **fields, **changes}


def states(node: Node, given: np.ndarray) -> np.ndarray:
    """Return what a `StateSpace` sends, (T, channels): each mode a pair of real numbers."""
    dt, found = node["dt"], np.zeros(given.shape)
    for channel, mode in np.ndindex(node["A_re"].shape):
        at = channel, mode
        a, w = node["A_re"][at], node["A_im"][at]
        matrix = np.array([[a, -w], [w, a]])
        gain = np.array([node["B_re"][at], node["B_im"][at]])
        drive = np.array([node["drive_re"][at], node["drive_im"][at]])
        pair = np.zeros(2)
        for t, u in enumerate(given[:, channel]):
            pair = step(node["discretization"], matrix, dt, pair, gain * u + drive)
            found[t, channel] += 2 * (node["C_re"][at] * pair[0] - node["C_im"][at] * pair[1])
    return found + node["D"] * given + node["bias"]


def step(
    rule: str, matrix: np.ndarray, dt: float, pair: np.ndarray, held: np.ndarray
) -> np.ndarray:
    """Return a pair after a step, with `held` beside ``matrix @ pair``."""
    if rule == "zoh":  # one matrix with the constant: no division by A
        whole = np.zeros((3, 3))
        whole[:2, :2], whole[:2, 2] = matrix, held
        return (expm(whole * dt) @ [*pair, 1.0])[:2]
    if rule == "bilinear":  # x' - x = dt/2 (f(x') + f(x))
        one = np.eye(2)
        return np.linalg.solve(one - dt / 2 * matrix, (one + dt / 2 * matrix) @ pair + dt * held)
    return expm(matrix * dt) @ pair + dt * held


# -- Reset -----------------------------------------------------------------------


def neuron(given: list[Fraction], leak: Fraction, theta: Fraction, jump: str, amount: Fraction,
           kappa: Fraction = Fraction(0), rho: Fraction = Fraction(0)) -> list[int]:  # fmt: skip
    """Return spikes of ``v = leak v + u``, in fractions: leak, input, comparison, reset.

    What it compares is nowhere nearly the threshold, where readers round; it is the threshold
    exactly where nothing has decayed yet, so that ``>`` and ``>=`` differ.
    """
    v, r, faded, met, spikes = Fraction(0), Fraction(0), leak != 1, 0, []
    for u in given:
        v = leak * v + u
        distance = v - r - theta
        assert abs(distance) > Fraction(1, 1000) or (distance == 0 and not faded), float(distance)
        fires, met = distance > 0, met + (distance == 0)
        if fires and jump == "value":
            v = amount
        elif fires and jump == "subtract":
            v -= amount
        faded |= rho * r != 0
        r = rho * r + kappa * fires
        spikes.append(int(fires))
    assert met or leak != 1
    return spikes


def resonator(node: Node, given: list[float], amount: float) -> list[int]:
    """Return spikes of a `StateSpace` of one mode whose real part is compared with 1, and reset."""
    matrix = np.array([[node["A_re"][0, 0], -node["A_im"][0, 0]],
                       [node["A_im"][0, 0], node["A_re"][0, 0]]])  # fmt: skip
    pair, spikes = np.zeros(2), []
    for u in given:
        held = np.array([node["B_re"][0, 0] * u, 0.0])
        pair = step(node["discretization"], matrix, node["dt"], pair, held)
        distance = 2 * node["C_re"][0, 0] * pair[0] - 1
        assert abs(distance) > 1e-3, distance
        spikes.append(int(distance > 0))
        pair = pair - np.array([amount * spikes[-1], 0.0])
    return spikes


def resets(jump: str, amount: float, tau: float | None = None, kappa: float = 0.0
           ) -> tuple[dict[str, Node], list[str]]:  # fmt: skip
    """Return a neuron of threshold 1 for steps of 1 ms: it keeps a half, or all of itself."""
    membrane: Node = {"type": "I", "r": [1.0]}
    if tau is not None:
        membrane = {"type": "LI", "tau": [tau], "r": [2.0], "v_leak": [0.0]}
    nodes = {"membrane": membrane, "spike": {"type": "Threshold", "threshold": [1.0]}}
    edges = ["input membrane", "membrane spike", "spike output"]
    if jump:
        nodes["reset"] = {"type": "Reset", "kind": jump, "amount": [amount]}
        edges += ["spike reset", "reset membrane"]
    if kappa:
        nodes["refractory"] = {"type": "Reset", "kind": "exponential", "amplitude": [kappa],
                               "tau": [HALF]}  # fmt: skip
        edges += ["spike refractory", "refractory spike"]
    return {**ends(1, 1), **nodes}, edges


EIGHTHS = [8, 1, 4, 9, 0, 8, 8, 3, 12, 20, 0, 0, 5, 4, 8, 16, 2, 1, 1, 30, 0, 0, 4, 8]
# in 64ths, so that halves of them miss the threshold
ODD = [57, 7, 27, 77, 0, 51, 59, 19, 83, 171, 0, 0, 31, 27, 45, 101, 13, 7, 19, 211, 0, 0, 39, 71]
MIXED = [72, 88, 19, -57, 25, 75, 5, 35, -89, 51, 113, 53, -23, 37, 75, 137, -161, 27]
INPUTS = {name: [Fraction(u, unit) for u in values] for name, unit, values in (
    ("reset-value", 8, EIGHTHS), ("reset-subtract", 8, EIGHTHS), ("reset-both", 64, MIXED),
    ("reset-subtract-leak", 64, ODD), ("reset-exponential", 64, ODD),
)}  # fmt: skip
KINDS: dict[str, tuple[str, float, float | None, float]] = {
    # jump, amount, time constant of the membrane, amplitude of an exponential reset
    "reset-value": ("value", 0.0, None, 0.0),
    "reset-subtract": ("subtract", 1.0, None, 0.0),
    "reset-subtract-leak": ("subtract", 0.75, HALF, 0.0),
    "reset-exponential": ("", 0.0, HALF, 0.5),
    "reset-both": ("subtract", 1.0, None, 0.5),
}
ABOUT = {
    "reset-value": "I, Threshold 1, back to 0; sums that are exactly 1 do not spike",
    "reset-subtract": "I, Threshold 1, less 1: what is above the threshold stays",
    "reset-subtract-leak": "LI that keeps a half, Threshold 1, less 0.75 after a spike",
    "reset-exponential": "LI, Threshold 1, no jump; 0.5 is missing after a spike, then 0.25, ...",
    "reset-both": "I, Threshold 1, less 1, and 0.5 is missing after a spike, then 0.25, ...;"
    " in step 1 exactly 1 is left, which does not spike",
}


def main() -> None:
    """Write all vectors."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    eighths = np.random.default_rng(0).integers(-8, 9, (20, 2)) / 8
    drive = {"drive_re": np.array([[0.5, -0.25], [1.0, 0.0]]),
             "drive_im": np.array([[0.0, 1.0], [-0.5, 2.0]]),
             "D": np.array([0.75, -2.0]), "bias": np.array([-1.0, 0.125])}  # fmt: skip
    still = {"A_re": np.array([[0.0, -0.5], [0.0, -1e-3]]),
             "A_im": np.array([[0.0, 0.0], [2.5, -1.3]])}  # fmt: skip
    banks = {
        "zoh": ("two channels with two modes each, the input held during a step", {}),
        "bilinear": ("the same, by the trapezoidal rule", {"discretization": "bilinear"}),
        "dirac": ("the same, the input an impulse at the end of a step",
                  {"discretization": "dirac"}),
        "drive": ("zoh with drive, feed-through and bias; modes at A = 0 and on the imaginary axis",
                  drive | still),
        "seconds": ("that of `drive`, bilinear, with A, B, drive and dt in seconds",
                    drive | still | {"discretization": "bilinear"}),
    }  # fmt: skip
    for name, (what, changes) in banks.items():
        node = bank(**changes)
        expected = states(node, eighths)
        if name == "seconds":
            rates = ("A_re", "A_im", "B_re", "B_im", "drive_re", "drive_im")
            node |= {key: 1e3 * node[key] for key in rates} | {"dt": 5e-4, "unit": "s"}
        publish(folder, f"state-space-{name}", what, 0.5, {**ends(2, 2), "bank": node},
                ["input bank", "bank output"], eighths, expected, 1e-9)  # fmt: skip
    for name, (jump, amount, tau, kappa) in KINDS.items():
        given = INPUTS[name]
        leak = Fraction(1) if tau is None else Fraction(1, 2)
        spikes = neuron(given, leak, Fraction(1), jump, Fraction(amount), Fraction(kappa),
                        Fraction(1, 2))  # fmt: skip
        nodes, edges = resets(jump, amount, tau, kappa)
        publish(folder, name, ABOUT[name], 1.0, nodes, edges,
                [[float(u)] for u in given], [[float(s)] for s in spikes], 0.0)  # fmt: skip
    one, none = np.ones((1, 1)), np.zeros((1, 1))
    node = bank(A_re=-0.1 * one, A_im=0.7 * one, B_re=one, B_im=none, C_re=0.25 * one, C_im=none,
                drive_re=none, drive_im=none, D=np.zeros(1), bias=np.zeros(1), dt=1.0,
                discretization="dirac")  # fmt: skip
    given = [4 * u / 64 for u in ODD]
    nodes, edges = resets("subtract", 2.0)
    publish(folder, "reset-resonator",
            "StateSpace of one mode, its real part against 2, which is subtracted from it", 1.0,
            nodes | {"membrane": node}, edges, [[u] for u in given],
            [[float(s)] for s in resonator(node, given, 2.0)], 0.0)  # fmt: skip


if __name__ == "__main__":
    main()
