"""Spiking neurons with a membrane, in forms that give the same spikes."""

from neurossm_models.neurons.exact import lif, lif_loop
from neurossm_models.neurons.lif import LIF

__all__ = ["LIF", "lif", "lif_loop"]
