"""Spiking neurons with a membrane, in several implementations with equal spikes."""

from neurossm.extras import explained

with explained():  # needs PyTorch
    from neurossm_models.neurons.adaptive import AdaptiveLIF, AdaptiveRule
    from neurossm_models.neurons.adaptive_threshold import AdaptiveSpike
    from neurossm_models.neurons.exact import lif_loop, lif_native
    from neurossm_models.neurons.lif import LIF
    from neurossm_models.neurons.recurrent import RecurrentLIF
    from neurossm_models.neurons.resonator import ResonateAndFire, ResonatorRule
    from neurossm_models.neurons.spiking import SpikingNeuron

__all__ = [
    "LIF",
    "AdaptiveLIF",
    "AdaptiveRule",
    "AdaptiveSpike",
    "RecurrentLIF",
    "ResonateAndFire",
    "ResonatorRule",
    "SpikingNeuron",
    "lif_loop",
    "lif_native",
]
