"""Checkpoints of state-spaces/s4: tensors alone are read, and no code of the file ever runs.

Names of a layer's tensors, by the age of the code; the value of A is the last column:

=================  ====================================================  =========================
s4d.py             ``kernel.log_dt``, ``log_A_real``, ``A_imag``, ``C``  ``-exp(..) + i A_imag``
s4.py, version 4   ``layer.kernel.inv_dt``, ``A_real``, ``A_imag``,      ``-exp(..) - i A_imag``
                   ``B``, ``C``
s4.py, before      ``kernel.kernel.log_dt``, ``log_w_real`` (or          ``-exp(..) + i w_imag``
                   ``inv_w_real``), ``w_imag``, ``B``, ``C``
=================  ====================================================  =========================

beside ``D`` and ``output_linear``. Complex numbers are pairs of real ones. A file does not say by
which transform ``dt`` and the real part were kept positive: ``exp`` is the repository's default.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import numpy as np
import torch

from neurossm.errors import FormatError, GraphError, InputError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import Accumulate, Affine, BatchNorm, Input, Output, Sum
from neurossm.passes import fold_batch_norm
from neurossm_converters.formats.torch.builder import Builder, array
from neurossm_converters.formats.torch.foreign.place import Real
from neurossm_converters.formats.torch.foreign.s4 import METHODS, add_layer, pairs, ssm

State = Mapping[str, torch.Tensor]

SAVE = "in the program that made it: torch.save(model.state_dict(), 'weights.pt')"
TOPS = ("state_dict", "model", "model_state_dict")  # where frameworks keep the tensors
WRAPPERS = ("model.", "module.", "_orig_mod.")
KERNELS = ("layer.kernel.", "kernel.kernel.", "kernel.")
PARTS = {"encoder", "decoder", "s4_layers", "norms"}
MOST_BITS = 23


def load_state(path: str | Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a checkpoint by name, on the CPU.

    Of a dictionary that holds them under ``state_dict`` or ``model`` those are taken, and a prefix
    that all names share because of a wrapper (``model.``, ``module.``) is removed.

    Raises
    ------
    InputError
        If there is no such file or it cannot be read.
    FormatError
        If it is no PyTorch file, holds no tensors by name, or could only be read by running code.
    """
    try:
        found: Any = torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        raise InputError(str(path), expected="a file to read", got=error.strerror or "none"
                         ) from None  # fmt: skip
    except UnpicklingError as error:
        raise _not_tensors(path, error) from None
    except Exception as error:  # what PyTorch says about a damaged file has no common type
        raise FormatError(str(path), expected="a checkpoint of PyTorch",
                          got=type(error).__name__, remedy=SAVE) from None  # fmt: skip
    for top in TOPS:
        if isinstance(found, Mapping) and isinstance(found.get(top), Mapping):
            found = found[top]
    if not isinstance(found, Mapping) or not found:
        raise FormatError(str(path), expected="tensors by name", got=type(found).__name__,
                          remedy=SAVE)  # fmt: skip
    state = {str(k): v for k, v in found.items() if isinstance(v, torch.Tensor)}
    if len(state) < len(found):
        name = next(str(k) for k in found if str(k) not in state)
        raise FormatError(f"{path}: {name!r}", expected="a tensor", got=type(found[name]).__name__,
                          remedy=SAVE)  # fmt: skip
    return _unwrapped(state)


def s4d_layers(state: State) -> dict[str, dict[str, torch.Tensor]]:
    """Return the state of each diagonal layer by its path, in the order of the file."""
    found: dict[str, dict[str, torch.Tensor]] = {}
    for name in state:
        for kernel in KERNELS:
            if name.endswith(f"{kernel}C"):
                path = name.removesuffix(f"{kernel}C")
                found.setdefault(path.removesuffix("."), _below(state, path))
                break
    return found


def add_s4d(builder: Builder, path: str, state: State, source: str, method: str = "zoh") -> str:
    """Add a diagonal layer from its tensors; return the name of its output.

    Parameters
    ----------
    builder, source
        What it is added to, and what feeds it.
    path
        Its name in the graph.
    state
        Its tensors, as `s4d_layers` gives them.
    method
        ``zoh``, or ``bilinear`` where s4.py was told so; the file does not say it.

    Raises
    ------
    GraphError
        If tensors are missing, have other shapes, or belong to another kernel.
    """
    if method not in METHODS:
        raise InputError("method", expected=" | ".join(METHODS), got=repr(method))
    where = f"layer {path!r}"
    prefix = next((k for k in KERNELS if f"{k}C" in state), "kernel.")
    kernel = _below(state, prefix)
    if "P" in kernel:
        raise GraphError(where, expected="a diagonal kernel (S4D)", got="S4's with a low-rank part",
                         remedy="train with mode='diag'")  # fmt: skip
    feed = _one(state, where, "D", "layer.D").reshape(-1)
    channels = len(feed)
    dt = np.exp(_one(kernel, where, "log_dt", "inv_dt")).reshape(-1)
    a = _spread(_poles(kernel, where), channels, where)
    c = pairs(kernel["C"]).reshape(-1, a.shape[1])
    b = np.ones(a.shape, complex)
    if "B" in kernel:
        b = _spread(pairs(kernel["B"]).reshape(-1, a.shape[1]), channels, where)
    if len(dt) != channels or c.shape != a.shape:
        raise GraphError(where, expected=f"one kernel for each of {channels} channels",
                         got=f"{len(dt)} steps, C of shape {tuple(kernel['C'].shape)}",
                         remedy="train with channels=1, dt_tie=True and bidirectional=False"
                         )  # fmt: skip
    linear = "output_linear.0." if "output_linear.0.weight" in state else "output_linear."
    weight = _one(state, where, f"{linear}weight")
    weight = weight.reshape(len(weight), -1)
    bias = array(state[f"{linear}bias"]) if f"{linear}bias" in state else np.zeros(len(weight))
    if weight.shape != (2 * channels, channels):
        raise GraphError(f"{where} output_linear", expected=f"shape ({2 * channels}, {channels})",
                         got=str(weight.shape), remedy="train with final_act='glu'")  # fmt: skip
    return add_layer(builder, path, ssm(dt, a, b, c, feed, method), (weight, bias), source)


def from_s4_checkpoint(
    source: str | Path | State, *, steps: int, scale: Any, prenorm: bool, bits: int = 8,
    method: str = "zoh", eps: float = 1e-5, dt: float | None = None, offset: Any = 0.0,
) -> Graph:  # fmt: skip
    """Return the float graph of the `S4Model` of the repository's example.py, from its tensors.

    Encoder, layers with norms and residual sums, mean over time, decoder. No class of the
    repository is needed.

    Parameters
    ----------
    source
        A checkpoint, or its tensors by name (``encoder.``, ``s4_layers.N.``, ``norms.N.``,
        ``decoder.``).
    steps
        Length of a sequence: the mean is over it.
    scale
        Real value of one unit of the integer inputs (1/255 for pixels), or one a channel.
    prenorm
        As the model was built. Norms must be `BatchNorm1d`, in front of the layers; ``False`` is
        for a model without norms.
    bits
        Width of the unsigned integer inputs.
    method, dt
        As of `add_s4d`; seconds of a step of the data.
    eps
        Of the batch norms; the file does not hold it.
    offset
        Real value of the integer 0, or one a channel; it goes into the encoder's bias.

    Raises
    ------
    GraphError
        For a norm or a layer that cannot be expressed, or unknown tensors, by their names.
    InputError, FormatError
        As of `load_state`; for a scale that is not above 0, bits beyond 1 to 23, and numbers that
        are not one, or one a channel.
    """
    state = source if isinstance(source, Mapping) else load_state(source)
    _check(state, bits)
    weight, bias = (_one(state, "encoder", f"encoder.{part}") for part in ("weight", "bias"))
    units, zero = (_each(v, n, weight.shape[1]) for v, n in ((scale, "scale"), (offset, "offset")))
    if not np.all(units > 0):
        raise InputError("scale", expected="finite numbers above 0", got=repr(scale))
    builder, frac = Builder({}, {}), -round(math.log2(units.max()))
    name = builder.add("input", Input(channels=weight.shape[1], out=Fixed(bits + 1, frac)))
    encoder = Affine(weight=weight * (units * 2.0**frac), bias=bias + weight @ zero)
    stream = builder.add("encoder", encoder, name)
    count = 1 + max((int(k.split(".")[1]) for k in state if k.startswith("s4_layers.")), default=-1)
    for index in range(count):
        normed = _normed(builder, state, index, stream, prenorm, eps)
        layer = _below(state, f"s4_layers.{index}.")
        added = add_s4d(builder, f"s4_layers.{index}", layer, normed, method)
        residual = Sum(channels=builder.nodes[stream].out_channels)
        stream = builder.add(f"s4_layers.{index}.add", residual, stream, added)
    weight, bias = (_one(state, "decoder", f"decoder.{part}") for part in ("weight", "bias"))
    stream = builder.add("decoder", Affine(weight=weight / steps, bias=bias / steps), stream)
    stream = builder.add("readout", Accumulate(channels=len(bias), steps=steps), stream)
    builder.add("output", Output(channels=len(bias)), stream)
    meta: dict[str, str | int | float] = {"steps": steps, "readout": "mean"}
    if np.all(units == units[0]):
        meta["input_scale"] = float(units[0])
    graph = fold_batch_norm(Graph(builder.nodes, tuple(builder.edges), meta=meta))
    return graph if dt is None else replace(graph, dt=dt)


def _normed(
    builder: Builder, state: State, index: int, stream: str, prenorm: bool, eps: float
) -> str:
    norm, where = _below(state, f"norms.{index}."), f"norms.{index}"
    if not norm:
        return stream
    if "running_var" not in norm:
        raise GraphError(where, expected="BatchNorm1d with running statistics", got="LayerNorm",
                         remedy="train with BatchNorm1d over the channels, and prenorm=True"
                         )  # fmt: skip
    if not prenorm:
        raise GraphError(where, expected="a norm in front of its layer",
                         got="one behind the residual sum, which it cannot fold into",
                         remedy="say prenorm=True (--prenorm) if the model was built so; else train"
                         " it so")  # fmt: skip
    gain = 1 / np.sqrt(_one(norm, where, "running_var") + eps)
    gain = gain * array(norm["weight"]) if "weight" in norm else gain
    offset = -_one(norm, where, "running_mean") * gain
    offset = offset + array(norm["bias"]) if "bias" in norm else offset
    return builder.add(where, BatchNorm(gain=gain, offset=offset), stream)


def _each(value: Any, name: str, channels: int) -> Real:
    """Return a number a channel."""
    try:
        found = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        found = np.array(np.nan)
    if found.size not in (1, channels) or not np.all(np.isfinite(found)):
        got = f"{found.size} numbers" if found.size != 1 else repr(value)[:80]
        raise InputError(name, expected=f"a finite number, or one for each of {channels} channels",
                         got=got)  # fmt: skip
    return np.array(np.broadcast_to(found.reshape(-1), (channels,)))


def _check(state: State, bits: int) -> None:
    unknown = [name for name in state if name.split(".")[0] not in PARTS]
    if unknown:
        raise GraphError(f"tensor {unknown[0]!r}", expected="those of example.py's S4Model: "
                         + ", ".join(sorted(PARTS)), got=f"{len(unknown)} others",
                         remedy="build the graph from its layers: s4d_layers and add_s4d"
                         )  # fmt: skip
    if not 1 <= bits <= MOST_BITS:
        raise InputError("bits", expected=f"1 to {MOST_BITS}", got=repr(bits))


def _poles(kernel: State, where: str) -> Any:
    """Return A, ``(S, N)``."""
    real = -np.exp(_one(kernel, where, "log_A_real", "A_real", "log_w_real", "inv_w_real"))
    sign = -1 if "A_real" in kernel else 1
    return real + 1j * sign * _one(kernel, where, "A_imag", "w_imag")


def _spread(values: Any, channels: int, where: str) -> Any:
    """Return parameters of every channel, of which some may be shared in turn (n_ssm)."""
    if not len(values) or channels % len(values):
        raise GraphError(where, expected=f"a divisor of {channels} kernels", got=str(len(values)),
                         remedy="give the tensors of one layer")  # fmt: skip
    return np.tile(values, (channels // len(values), 1))


def _one(state: State, where: str, *names: str) -> Real:
    """Return the first tensor that is there, in double precision, finite."""
    for name in names:
        if name in state:
            values = array(state[name])
            if not np.all(np.isfinite(values)):
                raise GraphError(f"{where} {name}", problem="it holds numbers that are not finite",
                                 remedy="take weights from before training diverged"
                                 )  # fmt: skip
            return values
    raise GraphError(where, expected=f"a tensor {' or '.join(names)}", got="none",
                     remedy="give all tensors of the layer")  # fmt: skip


def _below(state: State, prefix: str) -> dict[str, torch.Tensor]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}


def _unwrapped(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    for prefix in WRAPPERS * 2:
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state


def _not_tensors(path: str | Path, error: UnpicklingError) -> FormatError:
    """Return why a file cannot be read: PyTorch names the class that it will not make."""
    said = str(error)
    mark = "Unsupported global: GLOBAL "
    got = f"an object of {said.split(mark)[1].split()[0]}" if mark in said else "other objects"
    return FormatError(str(path), expected="tensors alone", got=f"{got}, which only its code makes",
                       remedy=SAVE)  # fmt: skip
