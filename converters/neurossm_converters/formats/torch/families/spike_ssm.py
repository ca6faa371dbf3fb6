"""The nodes of a block of SPikE-SSM: those of a SpikingSSM."""

from neurossm_converters.formats.torch.families.spikingssm import convert

__all__ = ["convert"]
