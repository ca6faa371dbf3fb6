"""The nodes of a block of D-RF neurons: those of PRF behind an adaptive threshold."""

from neurossm_converters.formats.torch.families.prf import convert

__all__ = ["convert"]
