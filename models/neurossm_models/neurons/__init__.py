"""Spiking neurons with a membrane, in forms that give the same spikes."""

from neurossm_models.neurons.lif import LIF, lif, lif_loop

__all__ = ["LIF", "lif", "lif_loop"]
