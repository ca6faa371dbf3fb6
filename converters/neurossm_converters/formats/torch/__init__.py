"""From PyTorch modules to a float graph: tables of module type to function.

What is in no table is refused by its path and type; nothing is skipped that changes a value. To add
a module: write its function and enter it in `layers.LAYERS`; to add a block of a family, in
`families`; operations and PyTorch's own layers are in `traced`.
"""

from neurossm.extras import explained

with explained():  # needs PyTorch
    from neurossm_converters.formats.torch.builder import Builder, array, bias_of
    from neurossm_converters.formats.torch.general import from_torch
    from neurossm_converters.formats.torch.loading import build_module

__all__ = ["Builder", "array", "bias_of", "build_module", "from_torch"]
