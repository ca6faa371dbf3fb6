"""The STE network of a layer of S5-RF; names are those of the exporter."""

from torch import Tensor

from neurossm_models.families.s5_rf import S5RFBlock
from neurossm_models.qat_model import IntegerRun
from neurossm_models.ste import feed_forward
from neurossm_models.ste.feed_forward import behind_encoder
from neurossm_models.ste.operations import add

__all__ = ["behind_encoder", "ste_outputs"]


def ste_outputs(name: str, block: S5RFBlock, r: Tensor, run: IntegerRun) -> Tensor:
    """Return what a layer of this name sends, (H, B, L)."""
    s = feed_forward.ste_outputs(name, block, r, run)
    return add(r, s, run.values[f"{name}.add"]) if block.skip else s
