"""SiLIF: feed-forward layers of adaptive neurons whose dynamics are parametrized as those of SSMs.

Shape letters: ``H`` features.

Source: Fabre, Dudchenko, Neftci, "Structured State Space Model Dynamics and Parametrization for
Spiking Neural Networks", 2025 (arXiv 2506.06374), and its code,
github.com/Maxtimer97/SSM-inspired-LIF @bca1fbe, models/snns.py.

Deviations: neurons spike at the threshold itself, too, not only above it. All states start at zero;
the released code starts them from uniform noise, in evaluation, too. The released readout, a leaky
integrator behind a batch norm whose softmax is summed over time, is no integer arithmetic: here a
linear decoder with a readout of this package takes its place, by default the mean over time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from neurossm.validation import Positive
from neurossm_models.families.family import Family
from neurossm_models.feed_forward import FeedForwardBlock, FeedForwardConfig
from neurossm_models.neurons import AdaptiveLIF, AdaptiveRule


@dataclass(frozen=True)
class SiLIFConfig(FeedForwardConfig):
    """A SiLIF network.

    Parameters
    ----------
    dt
        Initial time step of the neurons in seconds, by which the initial rates, 10 to 250 1/s of
        the membrane and 2.5 to 10 1/s of the adaptation, become leaks. Trained.
    """

    dt: Positive = 0.004

    NAME: ClassVar[str] = "silif"


class SiLIFBlock(FeedForwardBlock):
    """One layer of SiLIF neurons, see `neurossm_models.neurons.adaptive`."""

    @staticmethod
    def start(synapses: nn.Module) -> None:
        """Draw the weights as the released code does (Xavier, uniform)."""
        if isinstance(synapses, nn.Linear):
            nn.init.xavier_uniform_(synapses.weight)

    def make_neuron(self, config: FeedForwardConfig) -> AdaptiveLIF:
        """Return the neurons: soft reset, adapting on the membrane before it."""
        assert isinstance(config, SiLIFConfig)
        rule = AdaptiveRule("soft", "before", config.surrogate)
        return AdaptiveLIF(config.width, dt=config.dt, rule=rule)


FAMILY = Family(SiLIFConfig, SiLIFBlock)
