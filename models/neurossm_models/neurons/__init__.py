"""Spiking neurons with a membrane, in several implementations with equal spikes."""

from neurossm.extras import explained

with explained():  # needs PyTorch
    from neurossm_models.neurons.adaptive_threshold import AdaptiveSpike
    from neurossm_models.neurons.exact import lif_loop, lif_native
    from neurossm_models.neurons.lif import LIF

__all__ = ["LIF", "AdaptiveSpike", "lif_loop", "lif_native"]
