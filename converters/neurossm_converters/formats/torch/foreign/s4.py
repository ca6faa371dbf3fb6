"""The diagonal layers of state-spaces/s4: `S4D` of s4d.py, and `S4Block` of s4.py in diagonal form.

Both are a bank of diagonal state space models, a GELU and a linear map to values and gates (GLU),
of which s4d.py keeps poles ``-exp(log_A_real) + i A_imag`` and s4.py ``-exp(A_real) - i A_imag``,
with ``dt = exp(log_dt)``, or ``exp(inv_dt)``. The discretization is ``zoh`` in s4d.py, ``zoh`` or
``bilinear`` in s4.py. The kernel that a module computes is compared with that of the node.

The repository is no package: people copy its files, so classes are found by their names.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from neurossm.errors import GraphError
from neurossm.nodes import DiagonalSSM, Product
from neurossm.piecewise import piecewise
from neurossm_converters.formats.torch.builder import Builder, Converter, array, synapses
from neurossm_converters.formats.torch.foreign.place import Place, Real

Complex = NDArray[np.complex128]

KERNEL_STEPS = 32
KERNEL_TOLERANCE = 1e-3  # of the largest tap; kernels are computed in complex64
METHODS = ("zoh", "bilinear")


def ssm(dt: Real, a: Complex, b: Complex, c: Complex, d: Real, method: str) -> DiagonalSSM:
    """Return the node of continuous parameters.

    Parameters
    ----------
    dt
        Step of each channel, ``(H,)``.
    a, b, c
        Poles and gains, ``(H, N)``, one of each conjugate pair.
    d
        Feed-through, ``(H,)``.
    method
        ``zoh`` or ``bilinear``.
    """
    step = dt[:, None] * a
    if method == "zoh":
        pole, gain = np.exp(step), b * np.expm1(step) / a
    else:
        pole, gain = (1 + step / 2) / (1 - step / 2), b * dt[:, None] / (1 - step / 2)
    zeros = np.zeros(a.shape)
    return DiagonalSSM(
        a_re=pole.real, a_im=pole.imag, b_re=gain.real, b_im=gain.imag, c_re=c.real, c_im=c.imag,
        d=d, drive_re=zeros, drive_im=zeros, bias=np.zeros(len(d)), step_size=dt, method=method,
    )  # fmt: skip


def taps(node: DiagonalSSM, steps: int) -> Real:
    """Return the impulse response of a node without its feed-through, ``(H, steps)``."""
    pole = np.asarray(node.a_re) + 1j * np.asarray(node.a_im)
    gain = np.asarray(node.b_re) + 1j * np.asarray(node.b_im)
    read = np.asarray(node.c_re) + 1j * np.asarray(node.c_im)
    powers = pole[:, :, None] ** np.arange(steps)
    return np.asarray(2 * np.einsum("hn,hnl->hl", read * gain, powers).real)


def add_layer(
    builder: Builder, path: str, node: DiagonalSSM, mixing: tuple[Real, Real], source: str
) -> str:
    """Add a state space layer, its GELU and its gated linear unit; return the last name.

    `mixing` is weight ``(2 H, H)`` and bias of the linear map: first values, then gates.
    """
    weight, bias = mixing
    half = len(weight) // 2
    source = builder.add(f"{path}.ssm", node, source)
    source = builder.add(f"{path}.activation", piecewise("gelu", node.in_channels), source)
    value = synapses(weight[:half], bias[:half])
    gate = synapses(weight[half:], bias[half:])
    values = builder.add(f"{path}.value", value, source)
    gates = builder.add(f"{path}.gate", gate, source)
    opened = builder.add(f"{path}.sigmoid", piecewise("sigmoid", half), gates)
    return builder.add(f"{path}.product", Product(channels=half), values, opened)


def s4d(builder: Builder, path: str, module: nn.Module, source: str) -> str:
    """Add the `S4D` of s4d.py."""
    at = _place(builder, path, module, source)
    _check_parts(at, *(f"kernel.{name}" for name in ("log_dt", "log_A_real", "A_imag", "C")),
                 "D", "activation", "dropout", "output_linear")  # fmt: skip
    m, kernel = at.module, at.module.kernel
    a = -np.exp(array(kernel.log_A_real)) + 1j * array(kernel.A_imag)
    c = pairs(kernel.C)
    node = ssm(np.exp(array(kernel.log_dt)), a, np.ones(a.shape), c, array(m.D), "zoh")
    with torch.no_grad():
        _check_kernel(at, node, kernel(L=KERNEL_STEPS))
    _require(at, "activation", m.activation, nn.GELU)
    _check_dropout(at, m.dropout)
    return add_layer(builder, path, node, _mixing(at, m.output_linear), source)


def s4_block(builder: Builder, path: str, module: nn.Module, source: str) -> str:
    """Add the `S4Block` of s4.py with a diagonal kernel (S4D)."""
    at = _place(builder, path, module, source)
    _check_parts(at, *(f"layer.{name}" for name in ("kernel", "D", "activation", "drop")),
                 "layer.drop_kernel", "mult_activation", "drop", "output_linear")  # fmt: skip
    m, layer = at.module, at.module.layer
    for name in ("gate", "bottleneck"):
        at.require(name, None, f"train with {name}=None")
    for name, expected in (("channels", 1), ("bidirectional", False), ("L", None)):
        if getattr(layer, name) != expected:
            at.refuse(f"layer.{name}", str(expected), getattr(layer, name), REMEDIES_OF_LAYER[name])
    kernel = layer.kernel
    if type(kernel).__name__ != "SSMKernelDiag" or kernel.is_real or kernel.disc not in METHODS:
        got = f"{type(kernel).__name__}, disc={getattr(kernel, 'disc', None)!r}"
        at.refuse("layer.kernel", "SSMKernelDiag, complex, disc='zoh' or 'bilinear'", got,
                  "train with mode='diag': other kernels have no diagonal recurrence")  # fmt: skip
    with torch.no_grad():
        dt, a, b, c = (t.detach().cpu() for t in kernel._get_params())
        found = kernel(L=KERNEL_STEPS)[0][0]
    d = array(layer.D)[0]
    node = ssm(
        _tied(at, array(dt)), _complex(a), _complex(b)[0], _complex(c)[0], d, kernel.disc
    )  # fmt: skip
    _check_kernel(at, node, found)
    _require(at, "layer.activation", layer.activation, nn.GELU)
    _require(at, "mult_activation", m.mult_activation, nn.Identity)
    for part in (layer.drop, layer.drop_kernel, m.drop):
        _check_dropout(at, part)
    return add_layer(builder, path, node, _mixing(at, m.output_linear), source)


CONVERTERS: dict[str, tuple[str, Converter]] = {  # a class, and one beside it that tells it
    "S4D": ("S4DKernel", s4d),
    "S4Block": ("SSMKernelDiag", s4_block),
}

REMEDIES_OF_LAYER = {
    "channels": "train with channels=1",
    "bidirectional": "train with bidirectional=False",
    "L": "set block.layer.L = block.layer.l_max = None: the same for sequences up to l_max",
}


def pairs(tensor: torch.Tensor) -> Complex:
    """Return complex numbers that are stored as pairs of real ones, ``(..., 2)``."""
    stored = array(tensor)
    return np.asarray(stored[..., 0] + 1j * stored[..., 1])


def _place(builder: Builder, path: str, module: Any, source: str) -> Place:
    return Place(builder, path, module, source, "state-spaces/s4")


def _check_parts(at: Place, *names: str) -> None:
    """Refuse a class of the same name that is built otherwise."""
    for name in names:
        part = at.module
        for step in name.split("."):
            part = getattr(part, step, None)
        if part is None:
            at.refuse("", f"a part {name!r}, as in the repository", "none",
                      "give from_torch a converter for this class")  # fmt: skip


def _complex(tensor: torch.Tensor) -> Complex:
    return np.asarray(tensor.resolve_conj().to(torch.complex128).numpy())


def _tied(at: Place, dt: Real) -> Real:
    if dt.ndim == 2 and dt.shape[1] == 1:
        return dt[:, 0]
    at.refuse("layer.kernel dt", "one step a channel", f"shape {dt.shape}",
              "train with dt_tie=True")  # fmt: skip


def _mixing(at: Place, linear: Any) -> tuple[Real, Real]:
    """Return weight and bias of a linear map or a convolution of width 1, behind which is a GLU."""
    parts: list[Any] = list(linear.children()) if isinstance(linear, nn.Sequential) else [linear]
    known = len(parts) == 2 and isinstance(parts[0], nn.Conv1d | nn.Linear)
    if not known or not isinstance(parts[1], nn.GLU):
        at.refuse("output_linear", "a linear map and a GLU", type(linear).__name__,
                  "train with the output of s4d.py (final_act='glu')")  # fmt: skip
    weight = array(parts[0].weight)
    if weight.ndim == 3 and weight.shape[2] == 1:
        weight = weight[:, :, 0]
    if weight.ndim != 2 or len(weight) % 2:
        at.refuse("output_linear", "a kernel of width 1", f"shape {weight.shape}", "train with it")
    bias = np.zeros(len(weight)) if parts[0].bias is None else array(parts[0].bias)
    return weight, bias


def _require(at: Place, name: str, part: object, expected: type) -> None:
    exact = getattr(part, "approximate", "none") == "none"
    if type(part) is not expected or not exact:
        at.refuse(name, expected.__name__, type(part).__name__, "train with the repository's own")


def _check_dropout(at: Place, part: nn.Module) -> None:
    if part.training and not isinstance(part, nn.Identity):
        at.refuse("dropout", "evaluation mode", "training mode", "call model.eval() first")


def _check_kernel(at: Place, node: DiagonalSSM, kernel: torch.Tensor) -> None:
    expected, found = array(kernel), taps(node, KERNEL_STEPS)
    off = np.abs(found - expected).max() if found.shape == expected.shape else np.inf
    if not off <= KERNEL_TOLERANCE * np.abs(expected).max():
        raise GraphError(
            f"{at.where} kernel", expected="the kernel of its poles, discretized as it says",
            got=f"one that differs by {off:.3g}",
            remedy="undo what was changed in its kernel, or write a converter for it",
        )  # fmt: skip
