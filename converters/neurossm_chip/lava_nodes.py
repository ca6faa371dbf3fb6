"""Which nodes Lava's own neurons can replace: LIF and S4d, which have hardware microcode.

Lava's synapses (Dense, Sparse and their delayed forms) are used on every edge anyway, exactly. Its
neurons compute something else than the integer contract; what cannot be expressed is refused.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from neurossm_chip.arithmetic import raised, truncated
from neurossm_chip.nssm import File, Node
from neurossm_chip.refusal import Refusal
from neurossm_chip.wiring import wire

LARGEST = 2**17 - 1  # Lava's LIF shifts what arrives left by 6 and wraps it to 24 bits
S4D_EXP = 12
DIFFERENCES = {
    "LIF": "the membrane has 6 more bits of fraction and saturates at 2^17 instead of 2^23, what"
    " arrives wraps beyond 2^17; the threshold is one for all, in steps of 64 and strict, so a"
    " spike may come up to one unit below theta (never for a Threshold)",
    "S4d": "real numbers with parameters truncated to Q.12 on the CPU, undocumented microcode with"
    " Q.12 on the chip: no 24-bit state, no saturation, other rounding",
}


class Choice(NamedTuple):
    """Lava's process for a node, its arguments, and those of our readout behind an S4d."""

    process: str
    arguments: dict[str, Any]
    readout: dict[str, Any]


def choose(file: File, wanted: str) -> dict[str, Choice]:
    """Return how Lava's own neurons stand in for nodes.

    Parameters
    ----------
    file
        The graph.
    wanted
        ``ours``: nowhere. ``lava``: for every Threshold, LIF and DiagonalSSM. Else names of nodes,
        with commas between them.

    Raises
    ------
    Refusal
        For a node that Lava's own process cannot express; the name and the reason are in it.
    """
    if wanted == "ours":
        return {}
    known = {node.name: node for node in file.nodes}
    able = [node.name for node in file.nodes if node.type in _CHOICES]
    names = able if wanted == "lava" else wanted.split(",")
    loops = wire(file).loops
    for name in names:
        if name not in able:
            what = f"a {known[name].type}" if name in known else "no node of the graph"
            raise Refusal(
                "--processes: {!r} is {}; Lava has a neuron of its own for Threshold, LIF and"
                " DiagonalSSM (here: {})".format(name, what, ", ".join(able) or "none")
            )
        if len(loops[name]) > 1:
            others = ",".join(other for other in able if len(loops[other]) == 1)
            raise Refusal(
                f"--processes: {name!r} is in a cycle, where it shares a neuron with the synapses"
                f" in front of it: Lava has none that does; use --processes {others or 'ours'}"
            )
    return {name: _CHOICES[known[name].type](file, known[name]) for name in names}


def _threshold(file: File, node: Node) -> Choice:
    # with dv = 4096 nothing of the voltage is left at the next step
    return _lif_choice(file, node, dv=4096)


def _lif(file: File, node: Node) -> Choice:
    if node.fields["reset"] != "hard":
        _refuse(node, "LIF", "resets to 0", f"reset {node.fields['reset']!r}")
    if node.values("kappa").any():
        _refuse(node, "LIF", "has no refractory variable", "kappa above 0")
    tau = set(node.values("tau").tolist())
    if len(tau) > 1:
        _refuse(node, "LIF", "has one decay for all neurons", f"{len(tau)} of them")
    if node.one_frac("tau") != 12:
        got = f"{node.one_frac('tau')} of them (neurossm quantize --leaks 12 makes no others)"
        _refuse(node, "LIF", "has decays of 12 bits", got)
    return _lif_choice(file, node, dv=4096 - tau.pop())


def _lif_choice(file: File, node: Node, dv: int) -> Choice:
    # a membrane may have a unit of its own: here it has that of what arrives, theta rounded up
    sender = next(n for n in file.nodes if n.name == node.sources[0])
    finer = node.frac("theta") - sender.message.frac
    theta = set(raised(node.values("theta"), finer).tolist())
    if len(theta) > 1:
        _refuse(node, "LIF", "has one threshold for all neurons", f"{len(theta)} of them")
    (value,) = theta
    if not 1 <= value <= LARGEST + 1:
        _refuse(node, "LIF", f"takes thresholds from 1 to {LARGEST + 1}", str(value))
    largest = max(int(np.abs(total).max(initial=0)) for total in _arriving(file, node))
    if largest > LARGEST:
        got = f"{largest} in a golden vector"
        _refuse(node, "LIF", f"wraps messages beyond {LARGEST}", got)
    return Choice("LIF", {"du": 4095, "dv": dv, "vth": value - 1, "bias_mant": 0}, {})


def _s4d(file: File, node: Node) -> Choice:
    for part in ("drive_re", "drive_im"):
        if node.values(part).any():
            _refuse(node, "S4d", "has no constant input", f"{part} that is not 0")
    u = next(n for n in file.nodes if n.name == node.sources[0]).out.frac
    a, b, c = (_complex(node, name) for name in "abc")
    c = c * 2.0 ** (node.out.frac - u)  # integers arrive, integers of the output leave
    parts = {"a": _q12(node, "a", a), "b": _q12(node, "b", b), "c": _q12(node, "c", c)}
    arguments = dict(parts, s4_exp=S4D_EXP)
    readout = {
        "entry_bits": 24,
        "d": node.values("d"),
        "d_shift": node.frac("d") + u - node.out.frac,
        "bias": node.values("bias"),
        "out_bits": node.out.bits,
    }
    return Choice("S4d", arguments, readout)


_CHOICES: dict[str, Any] = {"Threshold": _threshold, "LIF": _lif, "DiagonalSSM": _s4d}


def _complex(node: Node, name: str) -> Any:
    parts = [
        node.values(f"{name}_{part}") * 2.0 ** -node.frac(f"{name}_{part}")[:, None]
        for part in ("re", "im")
    ]
    return parts[0] + 1j * parts[1]


def _q12(node: Node, name: str, values: Any) -> Any:
    """Truncate real and imaginary part to 12 bits of fraction, as Intel's recipe does."""
    kept = truncated(values, S4D_EXP)
    lost = int(np.count_nonzero((kept == 0) & (values != 0)))
    if lost:
        _refuse(node, "S4d", "keeps 12 bits of fraction", f"{lost} {name} below 2^-12")
    return kept.reshape(-1)


def _arriving(file: File, node: Node) -> list[Any]:
    """Return what arrives at a node in each golden vector, summed over its edges."""
    return [
        np.sum([vector.values[source].astype(np.int64) for source in node.sources], axis=0)
        for vector in file.golden
    ]


def _refuse(node: Node, process: str, can: str, got: str) -> None:
    raise Refusal(
        f"node {node.name!r} ({node.type}) cannot be Lava's {process}, which {can}; got {got};"
        " leave it out of --processes"
    )
