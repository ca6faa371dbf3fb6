"""The nodes of a block of S5 with ReLU activations."""

from __future__ import annotations

import numpy as np
from torch import nn

from neurossm.nodes import ComplexDiagonal, Product, Sum
from neurossm.piecewise import piecewise
from neurossm_converters.formats.torch.builder import Builder, array, require_type, synapses
from neurossm_models.complex_states import ComplexStates
from neurossm_models.families.s5 import S5Block


def convert(builder: Builder, path: str, block: S5Block, stream: str) -> str:
    """Add a block that is fed by a residual stream; return the name of the stream behind it.

    The gain of the states goes into the matrix in front of them.
    """
    width = block.gate.in_features
    for name in ("into", "out", "gate"):
        require_type(f"{path}.{name}", getattr(block, name), nn.Linear)
    require_type(f"{path}.states", block.states, ComplexStates)
    if block.first:
        stream = builder.add(f"{path}.encoded", piecewise("relu", width), stream)
    normed = builder.convert(f"{path}.norm", block.norm, stream)
    pole, gain = block.states.discretized()
    weight = np.concatenate([gain, gain])[:, None] * array(block.into.weight)
    into = synapses(weight, np.zeros(len(weight)))
    driven = builder.add(f"{path}.into", into, normed)
    states = ComplexDiagonal(a_re=pole.real, a_im=pole.imag, gate="relu")
    sent = builder.add(f"{path}.states", states, driven)
    out = builder.convert(f"{path}.out", block.out, sent)
    past = synapses(np.diag(array(block.d)), np.zeros(width))
    past_name = builder.add(f"{path}.past", past, normed)
    both = builder.add(f"{path}.both", Sum(channels=width), out, past_name)
    value = builder.add(f"{path}.mix.value", piecewise("relu", width), both)
    gate = builder.convert(f"{path}.mix.gate", block.gate, value)
    opened = builder.add(f"{path}.mix.sigmoid", piecewise("sigmoid", width), gate)
    added = builder.add(f"{path}.mix.product", Product(channels=width), value, opened)
    total = builder.add(f"{path}.sum", Sum(channels=width), stream, added)
    return builder.add(f"{path}.add", piecewise("relu", width), total)
