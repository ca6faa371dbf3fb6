"""A `DiagonalSSM` as a NIR sub-graph: two leaky integrators and the rotation between them.

``dx/dt = A x + B u + drive`` of one complex state is, in real parts, two `LI` of time constant
``-1/Re A`` whose outputs turn into each other's input, scaled by ``-Im A`` and ``+Im A``. All modes
of all channels are one flat vector: mode ``m`` belongs to channel ``m // N``.

The graph holds the discretized pole and gains, so A and B are chosen here such that the exact
solution over one step with the input held (zero-order hold) is that recurrence, whatever the
training discretized with: ``A = log(abar) / dt`` and ``B = bbar A / (abar - 1)``. The logarithm's
principal branch is taken: a rotation of more than half a turn a step gives another A with the same
recurrence. Times are milliseconds, the unit that NIR documents.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError
from neurossm.nodes import DiagonalSSM
from neurossm_converters.formats.nir.document import Part, one_number

Real = NDArray[np.float64]
Complex = NDArray[np.complex128]

KIND = "S4D"
STEP_RULE = "exact solution over dt of both integrators jointly, input held (zero-order hold)"
EDGES = [
    ("input", "B_re"), ("input", "B_im"), ("B_re", "x_re"), ("B_im", "x_im"),
    ("x_im", "rot_ri"), ("rot_ri", "x_re"), ("x_re", "rot_ir"), ("rot_ir", "x_im"),
    ("x_re", "C_re"), ("x_im", "C_im"), ("C_re", "output"), ("C_im", "output"),
    ("input", "D"), ("D", "output"),
]  # fmt: skip
CLASSES = {
    "input": "Input", "output": "Output", "B_re": "Affine", "B_im": "Affine", "x_re": "LI",
    "x_im": "LI", "rot_ri": "Scale", "rot_ir": "Scale", "C_re": "Affine", "C_im": "Linear",
    "D": "Scale",
}  # fmt: skip


def ssm_problem(node: DiagonalSSM) -> str:
    """Return why a float `DiagonalSSM` has no continuous form, or an empty string."""
    pole = complex_of(node.a_re, node.a_im)
    if np.any(pole == 0):
        return "a pole is 0, which no continuous-time state decays to in one step"
    if not np.all(np.log(pole).real < 0):
        return f"a pole has magnitude {np.abs(pole).max():.6g}, and tau must be positive"
    return ""


def ssm_to_nir(node: DiagonalSSM, dt: float) -> Any:
    """Return the sub-graph of a float `DiagonalSSM`.

    Parameters
    ----------
    node
        One for which `ssm_problem` is empty.
    dt
        Duration of a step, in seconds.

    Returns
    -------
    nir.NIRGraph
        Its metadata name the kind, the step and how a reader must integrate. The larger
        ``max_rotation_rad_per_step``, the further a reader gets from the recurrence that steps each
        `LI` on its own; beyond small values its oscillations grow.
    """
    import nir

    step_ms = 1e3 * dt
    pole = complex_of(node.a_re, node.a_im)
    a = np.log(pole) / step_ms
    gain = a / (pole - 1)  # undoes the zero-order hold
    b = gain * complex_of(node.b_re, node.b_im)
    drive = gain * complex_of(node.drive_re, node.drive_im)
    c = complex_of(node.c_re, node.c_im)

    channels, modes = pole.shape
    owner = np.repeat(np.arange(channels), modes)
    tau = -1 / a.real.ravel()
    shape = np.array([channels])
    leak = np.zeros(channels * modes)
    nodes = {
        "input": nir.Input(input_type={"input": shape}),
        "output": nir.Output(output_type={"output": shape}),
        "B_re": nir.Affine(weight=_spread(b.real, owner), bias=drive.real.ravel()),
        "B_im": nir.Affine(weight=_spread(b.imag, owner), bias=drive.imag.ravel()),
        "x_re": nir.LI(tau=tau, r=tau.copy(), v_leak=leak),
        "x_im": nir.LI(tau=tau.copy(), r=tau.copy(), v_leak=leak.copy()),
        "rot_ri": nir.Scale(scale=-a.imag.ravel()),
        "rot_ir": nir.Scale(scale=a.imag.ravel()),
        "C_re": nir.Affine(weight=_spread(2 * c.real, owner).T, bias=np.array(node.bias)),
        "C_im": nir.Linear(weight=_spread(-2 * c.imag, owner).T),
        "D": nir.Scale(scale=np.array(node.d)),
    }
    metadata = {
        "neurossm_kind": KIND,
        "modes": modes,
        "dt": dt,
        "dt_unit": "s",
        "tau_unit": "ms",
        "step_rule": STEP_RULE,
        "trained_discretization": node.method,
        "step_size": np.array(node.step_size),
        "max_rotation_rad_per_step": float(np.abs(a.imag).max() * step_ms),
    }
    return nir.NIRGraph(nodes=nodes, edges=list(EDGES), metadata=metadata)


def ssm_from_nir(sub: Part, dt: float, where: str) -> DiagonalSSM:
    """Return the `DiagonalSSM` of a sub-graph that `ssm_to_nir` made.

    Raises
    ------
    FormatError
        If it is another sub-graph, or one that was edited.
    """
    _check_structure(sub, where)
    fields = {
        f"{name}.{key}": node.numbers(key, f"{where} {name!r}")
        for name, node in sub.nodes.items()
        for key in node.fields
        if key != "shape"
    }
    step_ms = 1e3 * dt
    channels, modes = len(fields["D.scale"]), int(one_number(sub.metadata, "modes", where))
    tau, spin = fields["x_re.tau"], fields["rot_ir.scale"]
    if tau.shape != (channels * modes,):  # judged before anything of that size is made
        raise FormatError(where, expected=f"{channels} times {modes} modes", got=str(tau.shape))
    shape, owner = (channels, modes), np.repeat(np.arange(channels), modes)
    for name, holds in (
        ("tau", np.array_equal(tau, fields["x_im.tau"])),
        ("r", all(np.array_equal(fields[f"{name}.r"], tau) for name in ("x_re", "x_im"))),
        ("v_leak", not any(np.any(fields[f"{name}.v_leak"]) for name in ("x_re", "x_im"))),
        ("rotation", np.array_equal(fields["rot_ri.scale"], -spin) and spin.shape == tau.shape),
    ):
        if not holds:
            raise FormatError(where, problem=f"{name} is not as neurossm writes it")

    a = (-1 / tau + 1j * spin).reshape(shape)
    hold = np.expm1(a * step_ms) / a
    weights = [gather(fields[f"{name}.weight"], owner, where) for name in ("B_re", "B_im")]
    biases = [fields[f"{name}.bias"] for name in ("B_re", "B_im")]
    b, drive = (hold * complex_of(*parts).reshape(shape) for parts in (weights, biases))
    pole = np.exp(a * step_ms)
    c_re = gather(fields["C_re.weight"].T, owner, where).reshape(shape) / 2
    c_im = gather(fields["C_im.weight"].T, owner, where).reshape(shape) / -2
    return DiagonalSSM(
        a_re=pole.real, a_im=pole.imag, b_re=b.real, b_im=b.imag, c_re=c_re, c_im=c_im,
        d=fields["D.scale"], drive_re=drive.real, drive_im=drive.imag, bias=fields["C_re.bias"],
        step_size=sub.metadata["step_size"], method=str(sub.metadata["trained_discretization"]),
    )  # fmt: skip


def _check_structure(sub: Part, where: str) -> None:
    if sub.kind != "NIRGraph" or sub.metadata.get("neurossm_kind") != KIND:
        raise FormatError(
            where, expected=f"a sub-graph with neurossm_kind {KIND!r}", got=sub.kind[:80]
        )
    missing = {"modes", "step_size", "trained_discretization"} - set(sub.metadata)
    if missing:
        raise FormatError(where, expected=f"metadata {min(missing)!r}", got="none")
    classes = {name: node.kind for name, node in sub.nodes.items()}
    if classes != CLASSES or sorted(sub.edges) != sorted(EDGES):
        raise FormatError(where, problem="its nodes and edges are not those of an S4D")


def complex_of(real: object, imag: object) -> Complex:
    """Return complex numbers of these parts, signs of zeros included."""
    # assigned part by part: adding 1j * imag would turn a real part of -0.0 into 0.0
    parts = np.asarray(real, dtype=np.float64), np.asarray(imag, dtype=np.float64)
    joined = np.empty(parts[0].shape, dtype=np.complex128)
    joined.real, joined.imag = parts
    return joined


def _spread(values: Real, owner: NDArray[np.int64]) -> Real:
    """Return the matrix (modes of all channels, channels) that gives each mode its channel."""
    matrix = np.zeros((owner.size, int(owner[-1]) + 1))
    matrix[np.arange(owner.size), owner] = values.ravel()
    return matrix


def gather(matrix: Real, owner: NDArray[np.int64], where: str) -> Real:
    """Undo `_spread`; whatever else the matrix holds would be lost, so it is refused."""
    if matrix.shape != (owner.size, int(owner[-1]) + 1):
        raise FormatError(where, expected=f"{owner.size} modes", got=f"a matrix {matrix.shape}")
    values: Real = matrix[np.arange(owner.size), owner]
    if np.count_nonzero(matrix) != np.count_nonzero(values):
        raise FormatError(
            where, expected="modes of one channel each", got="modes that mix channels"
        )
    return values
