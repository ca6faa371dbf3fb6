"""The two ends of a `Network` in the graph: the scale of its inputs, and its readout.

Shape letters: ``F`` channels of the input, ``C`` channels of an answer, ``T`` steps.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from numbers import Real

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurossm.errors import GraphError, InputError
from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.interface import Interface, log_likelihoods
from neurossm.nodes import Accumulate, Affine, DiagonalSSM
from neurossm_converters.formats.torch.builder import Builder
from neurossm_models.config import EVERY_STEP, LAST, LEAKY, MAX, MEAN, PAIR, NetworkConfig
from neurossm_models.data.task import Task

Reals = NDArray[np.float64]
Scale = float | Sequence[float] | Reals


def add_readout(builder: Builder, decoder: str, config: NetworkConfig, steps: int) -> str:
    """Add the readout behind the decoder; return the name of what the output reads.

    What a sequence is answered is made of that as `neurossm.interface.Interface` says it: ``mean``
    and ``sum`` are a running sum, ``leaky`` is a state with one real pole, ``last``, ``max`` and
    ``every-step`` are the decoder itself.

    Raises
    ------
    GraphError
        For the readout of pairs.
    """
    node, kind = builder.nodes[decoder], config.readout
    assert isinstance(node, Affine)
    channels = config.classes
    if kind == PAIR:
        raise GraphError("model readout", expected="one sequence an answer", got=f'"{kind}"',
                         remedy='train with model.readout = "mean"')  # fmt: skip
    if kind in (LAST, MAX, EVERY_STEP):
        return decoder
    if kind == LEAKY:
        return builder.add("readout", leaky(channels, config.readout_leak), decoder)
    if kind == MEAN:
        weight, bias = np.asarray(node.weight), np.asarray(node.bias)
        scaled = replace(node, weight=weight * (1 / steps), bias=bias * (1 / steps))
        builder.nodes[decoder] = scaled
    return builder.add("readout", Accumulate(channels=channels, steps=steps), decoder)


def leaky(channels: int, leak: float) -> DiagonalSSM:
    """Return ``y_t = leak y_{t-1} + (1 - leak) u_t`` of so many channels: one real pole each."""
    column, none = np.ones((channels, 1)), np.zeros(channels)
    return DiagonalSSM(
        a_re=leak * column, a_im=0 * column, b_re=(1 - leak) * column, b_im=0 * column,
        c_re=column / 2, c_im=0 * column,  # what is read is twice the real part
        d=none, drive_re=0 * column, drive_im=0 * column, bias=none,
        step_size=np.ones(channels), method="zoh",
    )  # fmt: skip


def answered(values: ArrayLike, config: NetworkConfig, steps: int) -> Reals:
    """Return what the readout answers to sequences that end where the values do.

    Parameters
    ----------
    values
        What the output sent, (B, T, C).
    config
        Of the network.
    steps
        That the graph was made for.
    """
    sent = log_likelihoods(values, config.cutoffs)
    if config.readout == EVERY_STEP:
        return sent
    if config.readout == MAX:
        return np.asarray(sent.max(1))
    return np.asarray(sent[:, -1] * (steps / sent.shape[1] if config.readout == MEAN else 1.0))


def input_format(scale: Scale, bits: int) -> tuple[Fixed, Reals | float]:
    """Return the format of integer inputs, and what the encoder's columns are multiplied with.

    A message's unit is a power of two; the factor between it and the scale goes into weights.

    Parameters
    ----------
    scale
        What the network takes one unit for, a number, or one a channel, (F,).
    bits
        Magnitude bits of the integers.
    """
    scales = np.atleast_1d(np.asarray(scale, dtype=np.float64))
    if np.all(scales == scales[0]):
        frac = round(-math.log2(scales[0]))
        return Fixed(bits + 1, frac), float(scales[0] * 2.0**frac)
    frac = round(-float(np.mean(np.log2(scales))))
    return Fixed(bits + 1, frac), scales * 2.0**frac


def check_scale(scale: Scale, channels: int | None = None) -> None:
    """Raise `InputError` unless this is a finite number above 0, or one for each channel."""
    if isinstance(scale, Real) and not isinstance(scale, bool):
        if 0 < float(scale) < math.inf:
            return
    elif not isinstance(scale, bool | str | bytes) and np.ndim(scale) == 1:
        values = np.asarray(scale)
        if channels is not None and len(values) != channels:
            got = f"{len(values)} numbers"
            raise InputError("from_torch scale", expected=f"one, or {channels}", got=got)
        if values.dtype.kind in "fiu" and np.all((values > 0) & np.isfinite(values)):
            return
    raise InputError("from_torch scale", expected="a finite number above 0", got=repr(scale))


def scale_of(facts: Task) -> Scale:
    """Return what a network takes one unit of the data's integers for."""
    return facts.scale if facts.scaling is None else facts.scaling.scale


def described(graph: Graph, facts: Task, readout: str | None = None) -> Graph:
    """Return the graph that says what of a run's data goes in and what comes out.

    Parameters
    ----------
    graph
        Of the run's network.
    facts
        Of its data.
    readout
        Of the network; None: what the graph says. The mean of a network on a registered data set is
        what is taken for granted, and is not said.
    """
    own = facts.scaling is not None or bool(facts.split)
    if readout is None:
        readout = Interface.of(graph).readout
    about = Interface(
        task=facts.kind,
        readout="" if readout == MEAN and not own else readout,
        scaling=facts.scaling,
        target=facts.target,
        class_names=facts.class_names,
        channel_names=facts.channel_names,
        split=facts.split,
        cutoffs=Interface.of(graph).cutoffs,
    )
    return about.applied(graph)
