"""Dense and convolutional layers of netx as integer nodes, bit-exactly, or the reason why not.

Lava's neuron (``PyLifModelBitAcc``), with ``tz`` as in FORMAT.md and ``a`` what the synapses send::

    u = wrap24(tz((4096 - iDecay) u, 12) + 64 a)
    v = sat24(tz((4096 - vDecay) v, 12) + u + 64 bias)
    s = 1 and v = 0 where v > 64 vThMant, else s = 0

Here u is the state of a `DiagonalSSM` with the pole ``8 (4096 - iDecay)`` of 15 fraction bits: 12
and 3 bits more, so each product shifts to the same integer. What it sends is ``u + 64 bias``; v is
the membrane of a `LIF` with the threshold ``64 vThMant + 1``. Two things differ, and every layer
must show that they cannot occur:

- Lava's u wraps at 24 bits, ours saturates. Spikes are 0 or 1, so ``|a|`` is at most A, the largest
  sum of the weights of one sign into one neuron, and ``|u| <= 64 A * 4096 / iDecay`` for ever.
- ``u + 64 bias`` is saturated here before v is added, so it must stay within 24 bits too.

Recurrent weights of a layer (``dense_rec``) are synapses like the others, and give it the spikes of
its own step before: a `Delay` of one step stands in front of them.

Convolutions (``conv``) are a `Conv2d`: lava-dl turns the axes of kernel and image around and its
flatten turns them back, so channels are C, H, W in this order here and there.

A message, a state and a voltage have 6 fraction bits: in the units of weights, bias and vThMant.

Sources: lava-dl 0.6.0, ``netx/hdf5.py`` and ``netx/utils.py`` (BSD-3-Clause); lava-nc 0.10.0,
``proc/lif/models.py`` and ``proc/dense/models.py`` (BSD-3-Clause).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import FormatError, GraphError
from neurossm.fixed import (
    LEAK_FRAC,
    POLE_BITS,
    STATE_BITS,
    WEIGHT_BITS,
    Fixed,
    Quantized,
    symmetric_limit,
)
from neurossm.graph import Edge
from neurossm.nodes import LIF, Accumulate, Affine, Conv2d, Delay, DiagonalSSM, Node
from neurossm_converters.formats.netx.file import Layer

UNIT_FRAC = 6  # Lava shifts what arrives, biases and thresholds left by 6
UNIT = 2**UNIT_FRAC
ONE = 2**LEAK_FRAC
BIAS_LIMITS = (-(2**12), 2**12 - 1)
LARGEST = symmetric_limit(STATE_BITS)
WIDE = Fixed(STATE_BITS, UNIT_FRAC)

LAYER_REASONS = {
    "convT": "netx itself does not run it",
    "dense_comp": "its weights are complex",
    "pool": "netx itself does not run it",
    "unpool": "netx itself does not run it",
    "average": "netx itself does not run it",
    "concat": "netx itself does not run it",
}
NEURON_REASONS = {
    "SDNN": "sends graded differences that exceed a threshold, which no node does",
    "ALIF": "has a threshold that adapts, which no node does",
    "RF_PHASE": "spikes at a phase of its resonance, which no node does",
    "RF_IZHIKEVICH": "resets a resonance to a value, which no node does",
}
LAYER_FIELDS = {"type", "shape", "inFeatures", "outFeatures", "weight", "bias", "delay", "neuron"}
CONV_FIELDS = {"inChannels", "outChannels", "kernelSize", "stride", "padding", "dilation", "groups"}
RECURRENT, CONV = "dense_rec", "conv"
Shape = tuple[int, int, int]
# of SLAYER's surrogate gradient; netx does not read them either
TRAINING_FIELDS = {"scaleRho", "tauRho", "theta"}
# what other values mean is not done by netx, or by no node
ONLY = {"refDelay": 1, "gradedSpike": 0, "messageBits": 0, "wgtExp": 0, "weight_exp": 0}
NEURON_FIELDS = {"type", "iDecay", "vDecay", "vThMant"} | set(ONLY)


def check_input(layer: Layer, position: int) -> None:
    """Refuse an ``input`` or ``flatten`` layer that does more than to name channels."""
    if layer.kind == "input" and position:
        raise GraphError(layer.where, problem="an input layer must be the first")
    if "neuron" in layer.fields or "weight" in layer.fields:
        raise GraphError(
            f"{layer.where} (input)",
            expected="spikes from outside",
            got="neurons that encode data of a format that the file does not tell",
            remedy=f"read the layers behind it, --layers {layer.index + 1}: "
            f"(skip_layers={layer.index + 1} in Python), and feed it their spikes",
        )
    _check_fields(layer, {"type", "shape"})


def layer_nodes(
    layer: Layer, steps: int | None, *, is_last: bool, arriving: Shape | None = None
) -> dict[str, Node]:
    """Return the nodes of one layer by name, in a row; `arriving` are channels, height and width.

    Raises
    ------
    GraphError
        If it cannot be expressed with the integers of Lava; names the layer and what it is.
    FormatError
        If entries are missing or have other shapes or ranges than lava-dl writes.
    """
    if layer.kind not in ("dense", RECURRENT, CONV):
        reason = LAYER_REASONS.get(layer.kind, "it is not known")
        raise _refused(layer, f"a dense or conv layer ({reason})", layer.kind)
    if isinstance(layer.fields.get("weight"), Mapping):
        raise _refused(layer, "real weights", "complex ones")
    more = {RECURRENT: {"weight_rec"}, CONV: CONV_FIELDS}.get(layer.kind, set())
    _check_fields(layer, LAYER_FIELDS | more)
    if "delay" in layer.fields and np.any(layer.integers("delay")):
        reason = "no delays (lava-dl drops the exponent of weights with a delay)"
        raise _refused(layer, reason, "some")
    weight, inputs = _weight(layer)
    name = f"layer{layer.index}"
    synapses: Node = _synapses(weight, slice(inputs))
    if layer.kind == CONV:
        synapses = _windows(layer, weight, arriving)
    channels = synapses.out_channels
    # the largest step of u: the weights of one sign into one neuron, when all of them spike
    real = np.ldexp(weight.values.astype(np.float64), -int(weight.frac)).astype(np.int64)
    largest = UNIT * max(
        int(np.maximum(real, 0).sum(axis=1).max()), int(np.maximum(-real, 0).sum(axis=1).max())
    )
    nodes: dict[str, Node] = {f"{name}.synapses": synapses}
    if layer.neuron is None:
        if layer.kind == RECURRENT:
            raise _refused(layer, "a neuron in a layer that feeds itself", "none")
        if not is_last:
            raise _refused(layer, "a neuron in every layer but the last", "none")
        nodes[f"{name}.readout"] = _readout(layer, channels, largest, steps)
        return nodes
    bias = _bias(layer, channels)
    nodes[f"{name}.current"] = _current(layer, layer.neuron, bias, largest)
    nodes[f"{name}.neuron"] = _neuron(layer.neuron, channels)
    if layer.kind == RECURRENT:
        step = np.ones(channels, np.int64)
        nodes[f"{name}.before"] = Delay(channels=channels, steps=step, out=Fixed.binary())
        nodes[f"{name}.feedback"] = _synapses(weight, slice(inputs, None))
    return nodes


def edges_within(names: Iterable[str]) -> list[Edge]:
    """Return the edges between the nodes of one layer, whose names end in what they are."""
    found = {name.rpartition(".")[2]: name for name in names}
    order = ("synapses", "current", "neuron", "before", "feedback", "current")
    row = [found[part] for part in order if part in found] if "before" in found else list(names)
    return list(pairwise(row))


def read_from(names: Iterable[str]) -> str:
    """Return which of the nodes of one layer the next one reads: its neuron, or the last."""
    listed = list(names)
    return next((name for name in listed if name.endswith(".neuron")), listed[-1])


def _synapses(weight: Quantized, columns: slice) -> Affine:
    """Return some of the synapses of a layer; all have one exponent."""
    frac, channels = int(weight.frac), weight.shape[0]
    return Affine(
        weight=Quantized(weight.values[:, columns], frac, WEIGHT_BITS),
        bias=Quantized(np.zeros(channels, np.int64), frac, STATE_BITS),
        out=Fixed(STATE_BITS, frac),
    )


def _windows(layer: Layer, weight: Quantized, arriving: Shape | None) -> Conv2d:
    """Return the synapses of a convolution; `weight` has a row for each filter."""
    if arriving is None:
        raise GraphError(
            layer.where, expected="a layer in front that says its channels, height and width",
            got="none", remedy="keep the input layer in front of it in the file",
        )  # fmt: skip
    values = weight.values.reshape(_kernel(layer).shape)
    channels = np.zeros(len(values), np.int64)
    frac = int(weight.frac)
    try:
        node = Conv2d(
            weight=Quantized(values, frac, WEIGHT_BITS),
            bias=Quantized(channels, frac, STATE_BITS),
            in_shape=np.array(arriving),
            stride=_pair(layer, "stride", 1),
            padding=_pair(layer, "padding", 0),
            dilation=_pair(layer, "dilation", 1),
            groups=layer.integer("groups") if "groups" in layer.fields else 1,
            out=Fixed(STATE_BITS, frac),
        )
    except GraphError as error:
        raise error.inside(f"{layer.where}: ") from None
    said = tuple(layer.integers("shape").ravel().tolist())
    if said != node.windows.out_shape:
        where, expected = f"{layer.where} shape", f"{node.windows.out_shape}"
        raise FormatError(where, expected=expected, got=f"{said}")
    return node


def _pair(layer: Layer, name: str, otherwise: int) -> NDArray[np.int64]:
    """Return a number along height and one along width."""
    if name not in layer.fields:
        return np.full(2, otherwise, np.int64)
    found = layer.integers(name).ravel()
    if found.size not in (1, 2):
        raise FormatError(f"{layer.where} {name}", expected="1 or 2 numbers", got=f"{found.size}")
    return np.array(np.broadcast_to(found, 2))


def _kernel(layer: Layer) -> NDArray[np.int64]:
    """Return the kernel ``(O, I / groups, kh, kw)``; SLAYER's has an axis of time, of size 1."""
    weight = layer.integers("weight")
    if weight.ndim == 5 and weight.shape[4] == 1:
        weight = weight[..., 0]
    if weight.ndim != 4 or not weight.size:
        expected = "4 axes: filters, channels, height, width"
        raise FormatError(f"{layer.where} weight", expected=expected, got=f"{weight.shape}")
    return weight


def _matrix(layer: Layer, name: str) -> NDArray[np.int64]:
    weight, outs = layer.integers(name), layer.channels
    if weight.ndim == 1 and weight.size % outs == 0:
        weight = weight.reshape(outs, -1)
    if weight.ndim != 2 or weight.shape[0] != outs or not weight.size:
        expected = f"shape ({outs}, inputs)"
        raise FormatError(f"{layer.where} {name}", expected=expected, got=f"{weight.shape}")
    return weight


def _weight(layer: Layer) -> tuple[Quantized, int]:
    """Return all weights into a layer, and how many columns of them are those of inputs."""
    weight = _kernel(layer) if layer.kind == CONV else _matrix(layer, "weight")
    weight = weight.reshape(len(weight), -1)
    inputs, outs = weight.shape[1], layer.channels
    if layer.kind == RECURRENT:
        back = _matrix(layer, "weight_rec")
        if back.shape != (outs, outs):
            where, expected = f"{layer.where} weight_rec", f"shape ({outs}, {outs})"
            raise FormatError(where, expected=expected, got=f"{back.shape}")
        weight = np.hstack([weight, back])
    low, high = int(weight.min()), int(weight.max())
    if low < 0 >= high and (-low).bit_count() == 1:
        # netx scales -2**k to -256 and Lava, as no weight is positive, clips that to -255
        raise _refused(layer, "weights that Lava keeps", f"no positive and a least of {low}")
    limit = symmetric_limit(WEIGHT_BITS)
    for frac in (0, -1):
        unit = 2**-frac
        if max(-low, high) <= limit * unit and not np.any(weight % unit):
            return Quantized((weight / unit).astype(np.int64), frac, WEIGHT_BITS), inputs
    got = f"{low} to {high}" + (", some odd" if np.any(weight % 2) else "")
    raise _refused(layer, f"weights within +-{limit}, or even ones within +-{2 * limit}", got)


def _bias(layer: Layer, channels: int) -> NDArray[np.int64]:
    if "bias" not in layer.fields:
        return np.zeros(channels, np.int64)
    bias = layer.integers("bias")
    if layer.kind == CONV and bias.size == _kernel(layer).shape[0]:  # one a filter
        bias = np.repeat(bias.ravel(), channels // bias.size)
    if bias.size not in (1, channels):
        raise FormatError(f"{layer.where} bias", expected=f"{channels} numbers", got=f"{bias.size}")
    low, high = BIAS_LIMITS
    if bias.min() < low or bias.max() > high:
        raise _refused(layer, f"biases of 13 bits, {low} to {high}", f"{bias.min()}, {bias.max()}")
    return np.broadcast_to(bias.ravel(), (channels,))


def _current(layer: Layer, neuron: Layer, bias: NDArray[np.int64], largest: int) -> DiagonalSSM:
    kind = neuron.text("type")
    if kind not in ("CUBA", "LOIHI"):
        reason = NEURON_REASONS.get(kind, "is not known")
        raise GraphError(
            f"{layer.where}: neuron {kind[:40]!r} {reason}", expected="CUBA or LOIHI", got=kind[:40]
        )
    _check_fields(neuron, NEURON_FIELDS | TRAINING_FIELDS)
    channels = len(bias)
    decay = _between(neuron, "iDecay", 1, ONE, "its current would never decay", channels)
    # |u| <= largest * ONE / decay at every step: u shrinks by decay / ONE, and toward zero
    reached = largest * ONE // int(decay.min()) + UNIT * int(np.abs(bias).max())
    if reached > LARGEST:
        raise _refused(
            layer,
            f"currents that stay within 24 bits ({LARGEST}), where Lava wraps and neurossm would"
            " saturate",
            f"up to {reached} if all inputs with weights of one sign spike",
        )
    shape = (channels, 1)

    def integers(value: int, frac: int, bits: int = WEIGHT_BITS) -> Quantized:
        return Quantized(np.full(shape, value), frac, bits)

    pole = (ONE - decay).reshape(shape) * 2 ** (POLE_BITS - 1 - LEAK_FRAC)

    def zeros(frac: int, bits: int = WEIGHT_BITS) -> Quantized:
        return integers(0, frac, bits)

    return DiagonalSSM(
        a_re=Quantized(pole, POLE_BITS - 1, POLE_BITS),
        a_im=zeros(POLE_BITS - 1, POLE_BITS),
        b_re=integers(1, 0),
        b_im=zeros(0),
        c_re=integers(1, 1),  # a half: 2 Re(c x) is x
        c_im=zeros(1),
        d=Quantized(np.zeros(channels, np.int64), 0, WEIGHT_BITS),
        drive_re=zeros(UNIT_FRAC, STATE_BITS),
        drive_im=zeros(UNIT_FRAC, STATE_BITS),
        bias=Quantized(UNIT * bias, UNIT_FRAC, STATE_BITS),
        step_size=np.ones(channels),
        method="zoh",
        out=WIDE,
    )


def _neuron(neuron: Layer, channels: int) -> LIF:
    for name, only in ONLY.items():
        if name in neuron.fields and neuron.integer(name) != only:
            raise _refused(neuron, f"{name} {only}", str(neuron.integer(name)))
    decay = _between(neuron, "vDecay", 0, ONE, "parts of 4096", channels)
    top = LARGEST // UNIT
    threshold = _between(neuron, "vThMant", 0, top, "it could never spike", channels)
    zeros = np.zeros(channels, np.int64)
    return LIF(
        theta=Quantized(UNIT * threshold + 1, UNIT_FRAC, STATE_BITS),
        tau=Quantized(ONE - decay, LEAK_FRAC, LEAK_FRAC + 2),  # 4096 where nothing decays
        rho=Quantized(zeros, LEAK_FRAC, LEAK_FRAC + 1),
        kappa=Quantized(zeros, UNIT_FRAC, STATE_BITS),
        reset="hard",
    )


def _readout(layer: Layer, channels: int, largest: int, steps: int | None) -> Accumulate:
    if "bias" in layer.fields and np.any(layer.integers("bias")):
        raise _refused(layer, "no bias in a layer without neuron", "one")
    if steps is None:
        raise GraphError(
            f"{layer.where} (dense)",
            expected="how long its sum may run (simulation/tSample)",
            got="nothing",
            remedy="give the number of steps, with --steps (steps=... in Python)",
        )
    term_bits = largest.bit_length() + 1
    if steps * symmetric_limit(term_bits) > LARGEST:
        raise _refused(
            layer,
            f"a sum that stays within 24 bits for {steps} steps",
            f"up to {steps * largest}",
            "give fewer with --steps (steps=... in Python)",
        )
    return Accumulate(channels=channels, steps=steps, term_bits=term_bits, out=WIDE)


def _between(
    neuron: Layer, name: str, low: int, high: int, otherwise: str, channels: int
) -> NDArray[np.int64]:
    """Return a parameter, one value a channel; one for all is repeated."""
    values = neuron.integers(name).ravel()
    if values.size not in (1, channels):
        where, expected = f"{neuron.where} {name}", f"one number, or {channels}"
        raise FormatError(where, expected=expected, got=f"{values.size}")
    outside = values[(values < low) | (values > high)]
    if outside.size:
        raise _refused(neuron, f"{name} from {low} to {high} ({otherwise})", str(outside[0]))
    return np.array(np.broadcast_to(values, (channels,)))


def _check_fields(layer: Layer, known: set[str]) -> None:
    unknown = sorted(set(layer.fields) - known)
    if unknown:
        raise GraphError(
            layer.where, expected="entries that netx knows here", got=repr(unknown[0][:40])
        )


def _refused(layer: Layer, expected: str, got: str, remedy: str = "") -> GraphError:
    return GraphError(layer.where, expected=expected, got=got[:80], remedy=remedy)
