"""The STE network of a layer of C-SiLIF: that of a feed-forward network."""

from neurossm_models.ste.feed_forward import behind_encoder, ste_outputs

__all__ = ["behind_encoder", "ste_outputs"]
