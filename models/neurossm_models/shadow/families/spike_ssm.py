"""The derivatives of a block of SPikE-SSM: those of a SpikingSSM with another neuron."""

from neurossm_models.shadow.families.spikingssm import shadow

__all__ = ["shadow"]
