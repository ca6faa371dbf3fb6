"""Conversion of layers with one input."""

from __future__ import annotations

import numpy as np
from torch import nn

from neurossm.errors import GraphError
from neurossm.nodes import (
    LIF,
    AdaptiveThreshold,
    BatchNorm,
    Delay,
    DiagonalSSM,
    Embedding,
    TernaryThreshold,
    Threshold,
)
from neurossm.piecewise import piecewise
from neurossm_converters.formats.torch.adaptive import add_table
from neurossm_converters.formats.torch.builder import Builder, Converter, array, bias_of, synapses
from neurossm_converters.formats.torch.feed_forward import adaptive, resonator
from neurossm_converters.formats.torch.norms import statistics_of
from neurossm_models import delay, neurons
from neurossm_models.adaptive import AdaptiveEmbedding
from neurossm_models.diagonal import DiagonalLayer
from neurossm_models.families import gsu
from neurossm_models.fractional import FractionalS4D
from neurossm_models.resonators import Resonators
from neurossm_models.s4d import S4D
from neurossm_models.surrogate import Spike


def _linear(builder: Builder, path: str, module: nn.Linear, source: str) -> str:
    return builder.add(path, synapses(array(module.weight), bias_of(module)), source)


def _embedding(builder: Builder, path: str, module: nn.Embedding, source: str) -> str:
    if module.max_norm is not None:
        raise GraphError(f"module {path!r} (Embedding)", expected="rows as they are",
                         got=f"max_norm = {module.max_norm:g}",
                         remedy="train without max_norm")  # fmt: skip
    return builder.add(path, Embedding(table=array(module.weight)), source)


def _batch_norm(builder: Builder, path: str, module: nn.BatchNorm1d, source: str) -> str:
    gain, offset = statistics_of(path, module)
    return builder.add(path, BatchNorm(gain=gain, offset=offset), source)


def _diagonal(builder: Builder, path: str, module: DiagonalLayer, source: str) -> str:
    if module.c_backward is not None:
        raise GraphError(f"module {path!r} ({type(module).__name__})", expected="a causal layer",
                         got="a bidirectional one", remedy=BIDIRECTIONAL)  # fmt: skip
    abar, bbar, c, d = module.discretized()
    zeros, none = np.zeros(abar.shape), np.zeros(d.shape)
    node = DiagonalSSM(
        a_re=abar.real, a_im=abar.imag, b_re=bbar.real, b_im=bbar.imag, c_re=c.real, c_im=c.imag,
        d=d, drive_re=zeros, drive_im=zeros, bias=none,
        step_size=np.exp(array(module.log_dt)), method=module.discretization,
    )  # fmt: skip
    return builder.add(path, node, source)


def _spike(builder: Builder, path: str, module: Spike, source: str) -> str:
    return builder.add(path, Threshold(theta=array(module.theta)), source)


def _adaptive(builder: Builder, path: str, module: neurons.AdaptiveSpike, source: str) -> str:
    node = AdaptiveThreshold(theta=array(module.theta), taps=array(module.taps))
    return builder.add(path, node, source)


def _lif(builder: Builder, path: str, module: neurons.LIF, source: str) -> str:
    # only the ratio of input to threshold matters (SpikingSSMs, eq. 12): 1/theta is a gain that
    # folds into C, D and the bias of the state space layer in front, and the threshold becomes 1
    gain = np.exp(-array(module.log_theta))
    scale = BatchNorm(gain=gain, offset=np.zeros_like(gain))
    source = builder.add(f"{path}.scale", scale, source)
    kappa = np.zeros_like(gain) if module.log_kappa is None else np.exp(array(module.log_kappa))
    node = LIF(
        theta=np.ones_like(gain), tau=array(module.tau), rho=array(module.rho), kappa=kappa,
        reset=module.reset,
    )  # fmt: skip
    return builder.add(path, node, source)


def _ternary(builder: Builder, path: str, module: gsu.TernaryThreshold, source: str) -> str:
    if module.log_delta is None:
        raise GraphError(
            f"module {path!r} (TernaryThreshold)",
            expected="a constant threshold of each feature",
            got=f"{module.fraction:g} of the largest magnitude at each step",
            remedy='train with model.threshold = "constant"',
        )
    return builder.add(path, TernaryThreshold(delta=np.exp(array(module.log_delta))), source)


def _delay(builder: Builder, path: str, module: delay.Delay, source: str) -> str:
    if not module.steps:
        return source
    steps = np.resize(module.steps, module.width)  # in turn
    return builder.add(path, Delay(channels=module.width, steps=steps), source)


def _unchanged(builder: Builder, path: str, module: nn.Module, source: str) -> str:
    return source  # dropout in evaluation mode is the identity


def _relu(builder: Builder, path: str, module: nn.ReLU, source: str) -> str:
    return builder.add(path, piecewise("relu", builder.nodes[source].out_channels), source)


def _sigmoid(builder: Builder, path: str, module: nn.Sigmoid, source: str) -> str:
    return builder.add(path, piecewise("sigmoid", builder.nodes[source].out_channels), source)


def _gelu(builder: Builder, path: str, module: nn.GELU, source: str) -> str:
    if module.approximate != "none":
        raise GraphError(f"module {path!r} (GELU)", expected="gelu itself",
                         got=f"its approximation by {module.approximate}",
                         remedy='use GELU(approximate="none")')  # fmt: skip
    return builder.add(path, piecewise("gelu", builder.nodes[source].out_channels), source)


def _sequential(builder: Builder, path: str, module: nn.Sequential, source: str) -> str:
    for name, child in module.named_children():
        source = builder.convert(f"{path}.{name}", child, source)
    return source


LAYERS: dict[type[nn.Module], Converter] = {
    nn.Linear: _linear,
    nn.Embedding: _embedding,
    AdaptiveEmbedding: add_table,
    nn.BatchNorm1d: _batch_norm,
    S4D: _diagonal,
    FractionalS4D: _diagonal,
    Resonators: _diagonal,
    Spike: _spike,
    neurons.AdaptiveSpike: _adaptive,
    neurons.LIF: _lif,
    neurons.AdaptiveLIF: adaptive,
    neurons.ResonateAndFire: resonator,
    gsu.TernaryThreshold: _ternary,
    delay.Delay: _delay,
    nn.Dropout: _unchanged,
    nn.Dropout1d: _unchanged,
    nn.Identity: _unchanged,
    nn.ReLU: _relu,
    nn.Sigmoid: _sigmoid,
    nn.GELU: _gelu,
    nn.Sequential: _sequential,
}

BIDIRECTIONAL = "train its causal counterpart: beside a bidirectional recipe NAME is NAME-causal"

RECURRENT = (
    "train with a recurrence that a graph has: neurossm_models.s4d.S4D, a spiking neuron, or one of"
    " your own with a converter"
)
REMEDIES: dict[type[nn.Module], str] = {
    nn.LayerNorm: 'train with BatchNorm1d (model.norm = "batch"), which folds into constants',
    nn.Softmax: "take the largest logit instead",
    **dict.fromkeys((nn.GRU, nn.LSTM, nn.RNN, nn.GRUCell, nn.LSTMCell, nn.RNNCell), RECURRENT),
    nn.MultiheadAttention: RECURRENT,
}
