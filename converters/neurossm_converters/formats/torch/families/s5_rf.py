"""The nodes of a layer of S5-RF."""

from neurossm_converters.formats.torch import feed_forward
from neurossm_converters.formats.torch.blocks import residual
from neurossm_converters.formats.torch.builder import Builder
from neurossm_models.families.s5_rf import S5RFBlock


def convert(builder: Builder, path: str, block: S5RFBlock, stream: str) -> str:
    """Add a layer that is fed by `stream`; return the name of what it sends."""
    sent = feed_forward.convert(builder, path, block, stream)
    return residual(builder, path, stream, sent) if block.skip else sent
