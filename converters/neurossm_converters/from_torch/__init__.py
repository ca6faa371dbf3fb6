"""From PyTorch modules to a float graph: tables of module type to function.

What is in no table is refused by its path and type; nothing is skipped that changes a value. To add
a module: write its function and enter it in `neurossm_converters.from_torch.layers.LAYERS`; to add
a block of a family, in `neurossm_converters.from_torch.blocks.BLOCKS`.
"""

from neurossm.extras import explained

with explained():  # needs PyTorch
    from neurossm_converters.from_torch.network import from_torch

__all__ = ["from_torch"]
