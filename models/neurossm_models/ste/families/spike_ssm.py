"""The STE network of a block of SPikE-SSM: that of a SpikingSSM with another neuron."""

from neurossm_models.ste.families.spikingssm import ste_outputs

__all__ = ["ste_outputs"]
