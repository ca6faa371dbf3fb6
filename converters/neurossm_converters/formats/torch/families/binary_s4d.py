"""The nodes of a block of Binary S4D."""

from __future__ import annotations

from neurossm_converters.formats.torch.blocks import chain, mixed, residual
from neurossm_converters.formats.torch.builder import Builder
from neurossm_models.families.binary_s4d import BinaryS4DBlock


def convert(builder: Builder, path: str, block: BinaryS4DBlock, stream: str) -> str:
    """Add a block that is fed by a residual stream; return the name of the stream behind it."""
    spikes = chain(builder, path, block, stream, "norm", "ssm", "ssm_norm", "spike", "delay",
                   "dropout")  # fmt: skip
    return residual(
        builder, path, stream, mixed(builder, f"{path}.mix", block.mix, block.gated, spikes)
    )
