"""SPikE-SSM: a SpikingSSM whose neuron has a soft reset and a refractory variable.

Shape letters: ``B`` batch, ``L`` time steps, ``H`` features.

Source: Zhong, Wang, Guo, Zhang, Lu, Leng, "SPikE-SSM: A Sparse, Precise, and Efficient Spiking
State Space Model for Long Sequences Learning", 2024 (arXiv 2410.17268). Its equations are not
public. What is known: an S4D block, spikes of a neuron with soft reset and a refractory variable,
trainable thresholds and refractory magnitudes, GLU mixing; training by parallel boundary
compression, of which `neurossm_models.neurons.boundary` is a reconstruction.

Deviations: the leak, the decay of the refractory variable and all initial values are chosen here; a
batch norm before the state space layer. Training runs the exact neuron by default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from neurossm.validation import Factor, Positive
from neurossm_models.config import Surrogate
from neurossm_models.families.family import Family
from neurossm_models.families.spikingssm import SpikingSSMBlock, SpikingSSMConfig
from neurossm_models.neurons import LIF


@dataclass(frozen=True)
class SPikESSMConfig(SpikingSSMConfig):
    """A SPikE-SSM network.

    Parameters
    ----------
    rho
        Factor by which the refractory variable decays in a step. Not trained.
    kappa
        Initial jump of the refractory variable at a spike, in units of the threshold. Trained.
    """

    tau: Factor = 0.25
    surrogate: Surrogate = "arctan"
    rho: Factor = 0.5
    kappa: Positive = 0.25

    NAME: ClassVar[str] = "spike-ssm"


class SPikESSMBlock(SpikingSSMBlock):
    """One layer of a SPikE-SSM: as `SpikingSSMBlock`, with soft reset and refractory variable."""

    def make_neuron(self, config: SpikingSSMConfig) -> LIF:
        """Return the neuron: soft reset, trained thresholds and refractory magnitudes."""
        assert isinstance(config, SPikESSMConfig)
        return LIF(
            config.width,
            tau=config.tau,
            reset="soft",
            threshold=config.threshold,
            train_threshold=config.train_threshold,
            rho=config.rho,
            kappa=config.kappa,
            surrogate=config.surrogate,
        )


FAMILY = Family(SPikESSMConfig, SPikESSMBlock)
