"""The nodes of feed-forward layers: synapses, norm, neurons; and of the neurons themselves."""

from __future__ import annotations

import numpy as np

from neurossm.nodes import AdaptiveLIF, BatchNorm, ResonateAndFire
from neurossm_converters.formats.torch.builder import Builder, array
from neurossm_models import neurons
from neurossm_models.feed_forward import FeedForwardBlock


def convert(builder: Builder, path: str, block: FeedForwardBlock, stream: str) -> str:
    """Add a layer that is fed by `stream`; return the name of what it sends."""
    names = ("linear", "norm", "neuron", "delay", "dropout")
    for name in names if block.linear is not None else names[1:]:
        stream = builder.convert(f"{path}.{name}", getattr(block, name), stream)
    return stream


def adaptive(builder: Builder, path: str, module: neurons.AdaptiveLIF, source: str) -> str:
    """Add adaptive neurons of threshold 1; their gain folds into the synapses in front."""
    gain, tau, rho, a, b = (array(values) for values in module.dynamics())
    source = _scaled(builder, path, gain, source)
    rule = module.rule
    node = AdaptiveLIF(theta=np.ones_like(tau), tau=tau, rho=rho, a=a, b=b, reset=rule.reset,
                       adapts_on=rule.adapts_on)  # fmt: skip
    return builder.add(path, node, source)


def resonator(builder: Builder, path: str, module: neurons.ResonateAndFire, source: str) -> str:
    """Add resonators of threshold 1; their gain folds into the synapses in front."""
    gain, re, im = (array(values) for values in module.dynamics())
    source = _scaled(builder, path, np.tile(gain, module.operands), source)
    node = ResonateAndFire(a_re=re, a_im=im, theta=np.ones_like(re), reset=module.rule.reset,
                           drive=module.rule.drive)  # fmt: skip
    return builder.add(path, node, source)


def _scaled(builder: Builder, path: str, gain: np.ndarray, source: str) -> str:
    return builder.add(f"{path}.scale", BatchNorm(gain=gain, offset=np.zeros_like(gain)), source)
