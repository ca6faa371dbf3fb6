"""C-SiLIF: feed-forward layers of resonate-and-fire neurons with a soft reset.

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

from neurossm.validation import Positive
from neurossm_models.config import check_steps
from neurossm_models.families.family import Family
from neurossm_models.feed_forward import FeedForwardBlock, FeedForwardConfig
from neurossm_models.neurons import ResonateAndFire, ResonatorRule


@dataclass(frozen=True)
class CSiLIFConfig(FeedForwardConfig):
    """A C-SiLIF network.

    Parameters
    ----------
    dt_min, dt_max
        Range of the initial time steps, log-uniform, where one input step lasts 1. At first a
        neuron decays by 1/2 and turns by pi in a unit of time (S4D-Lin).
    """

    dt_min: Positive = 0.01
    dt_max: Positive = 0.5

    NAME: ClassVar[str] = "c-silif"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_steps(self.dt_min, self.dt_max)


class CSiLIFBlock(FeedForwardBlock):
    """One layer of C-SiLIF neurons, see `neurossm_models.neurons.resonator`.

    They spike where ``2 Re z >= 1``, and a spike takes 1/2 from z.
    """

    def make_neuron(self, config: FeedForwardConfig) -> ResonateAndFire:
        """Return the neurons: a real drive with a trained gain, soft reset."""
        assert isinstance(config, CSiLIFConfig)
        rule = ResonatorRule("soft", "real", config.surrogate)
        return ResonateAndFire(
            config.width, dt_min=config.dt_min, dt_max=config.dt_max, threshold=0.5, rule=rule
        )


FAMILY = Family(CSiLIFConfig, CSiLIFBlock)
