"""Counters of the work that a node does."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Counts:
    """Work of one node over a run, named as Loihi 2's activity profiler names it.

    Attributes
    ----------
    syn_ops
        Synaptic operations: arriving non-zero activations times non-zero weights. An `Embedding`
        counts its C channels for every token.
    synaptic_multiplies
        Those in which a weight was multiplied (graded spikes). Spikes add or subtract weights,
        and weights of -1, 0 and 1 add or subtract activations: zero.
    dendrite_updates
        Neuron updates. `DiagonalSSM`, `ComplexDiagonal` and `ResonateAndFire` count one for every
        complex state and step, a `LIF` one for every membrane and one for every refractory
        variable, an `AdaptiveLIF` one for every membrane and one for every adaptation.
    spikes_in
        Non-zero activations that arrived; a token is an activation whichever it is, here and below.
    axon_out
        Non-zero activations sent, one for each node that receives them.
    spikes_out
        Non-zero activations that it produced, whoever receives them.
    saturations
        Values that were clipped to their width.
    """

    syn_ops: int = 0
    synaptic_multiplies: int = 0
    dendrite_updates: int = 0
    spikes_in: int = 0
    axon_out: int = 0
    spikes_out: int = 0
    saturations: int = 0

    def __add__(self, other: Counts) -> Counts:
        mine, theirs = asdict(self), asdict(other)
        return Counts(**{key: mine[key] + theirs[key] for key in mine})
