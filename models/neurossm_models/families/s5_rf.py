"""S5-RF: feed-forward layers of resonators without reset, driven by complex synapses.

Shape letters: ``B`` batch, ``L`` time steps, ``H`` features.

Source: Huber, Lecomte, Polovnikov, von Arnim, "Scaling Up Resonate-and-Fire Networks for Fast Deep
Learning", 2025 (arXiv 2504.00719), and its code github.com/ThomasEHuber/s5-rf @3ad742b.

Deviations: neurons spike at the threshold itself, too, not only above it; on the real part alone
("cartesian"), as published: a comparison of the magnitude ("polar") is no node. All layers take
their input as impulses ("dirac"); the released code has a zero-order hold in the first layer of the
MNIST tasks, which is a complex factor of each neuron that the trained synapses absorb, and mixes
the states of that layer by a fixed matrix, which is left out. The released readout is a leaky
integrator with trained leaks and a mean over time: here a linear decoder with a readout of this
package takes its place, by default the mean, which differs at the end of a sequence alone. CutMix
and random shifts of the data are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from neurossm.validation import Count, Positive
from neurossm_models.config import Norm, Surrogate, check_steps
from neurossm_models.families.family import Family
from neurossm_models.feed_forward import FeedForwardBlock, FeedForwardConfig
from neurossm_models.initial_modes import initial_modes
from neurossm_models.neurons import ResonateAndFire, ResonatorRule

_TRUNCATED = 0.87962566103423978  # standard deviation of a normal number between -2 and 2


@dataclass(frozen=True)
class S5RFConfig(FeedForwardConfig):
    """An S5-RF network.

    Dropout silences what drives single neurons in layers that are neither the first nor the last.

    Parameters
    ----------
    blocks
        Into so many groups of neurons a layer is divided at first; each has the poles of HiPPO-LegS
        of its size (S5).
    dt_min, dt_max
        Range of the initial time steps, log-uniform, where one input step lasts 1.
    skip
        Whether layers that are neither the first nor the last send what arrives besides their
        spikes.
    """

    norm: Norm = "none"
    surrogate: Surrogate = "multi_gaussian"
    blocks: Count = 8
    dt_min: Positive = 0.004
    dt_max: Positive = 0.1
    skip: bool = True

    NAME: ClassVar[str] = "s5-rf"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_steps(self.dt_min, self.dt_max)

    @property
    def encoded(self) -> int:
        """Real parts, then imaginary parts of what drives each neuron."""
        return 2 * self.width


class S5RFBlock(FeedForwardBlock):
    """One layer of resonators, see `neurossm_models.neurons.resonator`."""

    def __init__(self, config: FeedForwardConfig, index: int) -> None:
        super().__init__(config, index)
        assert isinstance(config, S5RFConfig)
        self.inner = 0 < index < config.layers - 1
        self.skip = config.skip and self.inner

    @staticmethod
    def start(synapses: nn.Module) -> None:
        """Draw complex weights as the released code does; a unitary matrix does not change them."""
        if isinstance(synapses, nn.Linear):
            spread = 1 / math.sqrt(synapses.in_features) / _TRUNCATED
            nn.init.trunc_normal_(synapses.weight, 0, spread, -2 * spread, 2 * spread)

    def make_neuron(self, config: FeedForwardConfig) -> ResonateAndFire:
        """Return the neurons: a complex drive times dt, no reset."""
        assert isinstance(config, S5RFConfig)
        poles = initial_poles(config.width, config.blocks)
        return ResonateAndFire(
            config.width,
            decay=list(-poles.real),
            frequency=list(poles.imag),
            dt_min=config.dt_min,
            dt_max=config.dt_max,
            train_gain=False,
            rule=ResonatorRule("none", "complex", config.surrogate),
        )

    def driven(self, r: Tensor) -> Tensor:
        """Return what drives the neurons, with dropout in inner layers."""
        driven = super().driven(r)
        return self.dropout(driven) if self.inner else driven

    def sent(self, s: Tensor, r: Tensor) -> Tensor:
        """Return the spikes, with what arrived where it goes past the layer."""
        return s + r if self.skip else s


def initial_poles(width: int, blocks: int) -> NDArray[np.complex128]:
    """Return the poles of HiPPO-LegS of the size of a block, both of each pair, in turn, (H,).

    The size is even: as many as there are neurons for a block, or one more.
    """
    size = 2 * math.ceil(max(width / blocks, 2) / 2)
    upper = initial_modes("legs", size)[0]
    return np.resize(np.concatenate([upper, upper.conj()]), width)


FAMILY = Family(S5RFConfig, S5RFBlock)
