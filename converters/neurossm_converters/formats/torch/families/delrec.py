"""The nodes of a layer of LIF neurons with learned delays.

Recurrent synapses are a cycle, ``neurons -> Delay -> Affine -> Sum -> neurons``. Synapses with a
delay each are one `Delay` for each number of steps, and behind it an `Affine` that has the weights
of that delay alone. Where many such synapses receive spikes, all that reaches the neurons is added
up there, in one unit: a neuron keeps two sums apart, not many, and weights of spikes lose
little in a common one. What receives other values has a unit of its own, and a `Sum` before.
"""

from __future__ import annotations

import numpy as np

from neurossm import nodes
from neurossm.nodes import Delay, Role, Sum
from neurossm_converters.formats.torch.builder import Builder, array, synapses
from neurossm_converters.formats.torch.norms import norm_of
from neurossm_models.delayed_linear import DelayedLinear
from neurossm_models.families.delrec import DelRecBlock
from neurossm_models.neurons import LIF, RecurrentLIF

Neurons = LIF | RecurrentLIF
OPERANDS = 8  # that a sum has at most in a bundle; 64 delays are 8 sums


def convert(builder: Builder, path: str, block: DelRecBlock, stream: str) -> str:
    """Add a layer that is fed by `stream`; return the name of what it sends."""
    of_spikes = builder.nodes[stream].role is Role.SPIKING
    if isinstance(block.linear, DelayedLinear):
        sources = _delayed(builder, path, block, block.linear, stream)
    else:
        names = ("linear", "norm") if block.linear is not None else ("norm",)
        for name in names:
            stream = builder.convert(f"{path}.{name}", getattr(block, name), stream)
        sources = [stream]
    return _neurons(builder, f"{path}.neuron", block.neuron, sources, of_spikes)


def _neurons(
    builder: Builder, path: str, neuron: Neurons, sources: list[str], of_spikes: bool
) -> str:
    """Add neurons that are fed by the given synapses, of spikes or not, and by each other."""
    tau = array(neuron.tau)
    ones, zeros, width = np.ones_like(tau), np.zeros_like(tau), len(tau)
    back = ""
    if isinstance(neuron, RecurrentLIF):
        delay = Delay(channels=width, steps=neuron.steps.cpu().numpy())
        waiting = builder.add(f"{path}.delay", delay)
        recurrent = synapses(array(neuron.weight), zeros)
        arriving = builder.add(f"{path}.recurrent", recurrent, waiting)
        back = waiting
        if len(sources) > 1 and not of_spikes:  # apart from the cycle, which must be fast
            sources = [_sum(builder, f"{path}.current", width, sources)]
        sources = [*sources, arriving]
        if len(sources) == 2:
            sources = [builder.add(f"{path}.drive", Sum(channels=width), *sources)]
    rule = neuron.rule if isinstance(neuron, RecurrentLIF) else neuron
    node = nodes.LIF(theta=ones, tau=tau, rho=zeros, kappa=zeros, reset=str(rule.reset))
    spikes = builder.add(path, node, *sources)
    return builder.connect(spikes, back) if back else spikes


def _sum(builder: Builder, path: str, width: int, sources: list[str]) -> str:
    """Add a sum of any number of nodes, of sums of a few; return its name."""
    if len(sources) > OPERANDS:
        parts = [sources[k : k + OPERANDS] for k in range(0, len(sources), OPERANDS)]
        sources = [
            builder.add(f"{path}.{k}", Sum(channels=width), *part) for k, part in enumerate(parts)
        ]
    return builder.add(path, Sum(channels=width), *sources)


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
