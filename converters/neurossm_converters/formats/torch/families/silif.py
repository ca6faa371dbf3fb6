"""The nodes of a layer of SiLIF."""

from neurossm_converters.formats.torch.feed_forward import convert

__all__ = ["convert"]
