"""The nodes of a layer of LIF neurons with learned delays.

Recurrent synapses are a cycle, ``neurons -> Delay -> Affine -> Sum -> neurons``. Synapses with a
delay each are one `Delay` for each number of steps, and behind it an `Affine` that has the weights
of that delay alone.
"""

from __future__ import annotations

import numpy as np

from neurossm import nodes
from neurossm.nodes import Delay, Sum
from neurossm_converters.formats.torch.builder import Builder, array, synapses
from neurossm_converters.formats.torch.norms import norm_of
from neurossm_models.delayed_linear import DelayedLinear
from neurossm_models.families.delrec import DelRecBlock
from neurossm_models.neurons import LIF, RecurrentLIF

Neurons = LIF | RecurrentLIF


def convert(builder: Builder, path: str, block: DelRecBlock, stream: str) -> str:
    """Add a layer that is fed by `stream`; return the name of what it sends."""
    if isinstance(block.linear, DelayedLinear):
        sources = _delayed(builder, path, block, block.linear, stream)
    else:
        names = ("linear", "norm") if block.linear is not None else ("norm",)
        for name in names:
            stream = builder.convert(f"{path}.{name}", getattr(block, name), stream)
        sources = [stream]
    return _neurons(builder, f"{path}.neuron", block.neuron, sources)


def _neurons(builder: Builder, path: str, neuron: Neurons, sources: list[str]) -> str:
    """Add neurons that are fed by the given nodes, and by each other."""
    tau = array(neuron.tau)
    ones, zeros, width = np.ones_like(tau), np.zeros_like(tau), len(tau)
    back = ""
    if isinstance(neuron, RecurrentLIF):
        delay = Delay(channels=width, steps=neuron.steps.cpu().numpy())
        waiting = builder.add(f"{path}.delay", delay)
        recurrent = synapses(array(neuron.weight), zeros)
        arriving = builder.add(f"{path}.recurrent", recurrent, waiting)
        drive = Sum(channels=width)
        sources = [builder.add(f"{path}.drive", drive, *sources, arriving)]
        back = waiting
    rule = neuron.rule if isinstance(neuron, RecurrentLIF) else neuron
    node = nodes.LIF(theta=ones, tau=tau, rho=zeros, kappa=zeros, reset=str(rule.reset))
    spikes = builder.add(path, node, *sources)
    return builder.connect(spikes, back) if back else spikes


def _delayed(
    builder: Builder, path: str, block: DelRecBlock, linear: DelayedLinear, stream: str
) -> list[str]:
    """Add delayed synapses with the norm folded in; return what they send."""
    gain, offset = norm_of(f"{path}.norm", block.norm, len(linear.weight))
    weight = gain[:, None] * array(linear.weight) * builder.factors.get(stream, 1.0)
    bias = offset if linear.bias is None else gain * array(linear.bias) + offset
    steps = linear.steps.cpu().numpy()
    found: list[str] = []
    for n in np.unique(steps):
        source = stream
        if n:
            delay = Delay(channels=weight.shape[1], steps=np.array([n]))
            source = builder.add(f"{path}.delay.{n}", delay, stream)
        here = np.where(steps == n, weight, 0.0)
        own = bias if not found else np.zeros_like(bias)
        found.append(builder.add(f"{path}.linear.{n}", synapses(here, own), source))
    return found
