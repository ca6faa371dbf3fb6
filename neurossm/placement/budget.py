"""The numbers of a chip that placement needs, each from its file: `Budget`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from neurossm.hardware import Hardware


@dataclass(frozen=True)
class Budget:
    """Limits of one core, and the words that things take.

    Where the file has a range the plan takes the end that needs more room.

    Attributes
    ----------
    cores
        Usable cores of a chip.
    chips
        Chips of the largest system known; None where the file has none.
    neuron_words, shared_words, total_words, groups
        Of a core: neuron words; words of axons and synapses together; all words; neuron groups.
    words_a_neuron
        Most words of one neuron.
    plain, real_state, complex_state
        Neuron words of a neuron without states, with one real, with one complex state.
    axon_in, axon_map
        Words of an incoming axon, and of a neuron that sends.
    dense_per_word
        8-bit synapses of one axon that a word holds.
    sparse_per_word
        The same with the place of each beside it; None where the file does not say.
    shared_per_word, shared_axons
        8-bit weights of a convolution's kernel that a word holds, and words of all axons of a
        convolution into a core; None and 0 where the file has no shared weights.
    fan_out_per_word
        Synapses of one axon to states that a word holds.
    lone_synapse
        Words of an axon's only synapse on the core.
    """

    cores: int
    chips: int | None
    neuron_words: int
    shared_words: int
    total_words: int
    groups: int
    words_a_neuron: int
    plain: int
    real_state: int
    complex_state: int
    axon_in: int
    axon_map: int
    dense_per_word: float
    sparse_per_word: float | None
    shared_per_word: float | None
    shared_axons: int
    fan_out_per_word: int
    lone_synapse: int

    def dense_words(self, targets: int) -> int:
        """Return the words of one axon's synapses to so many neurons."""
        return math.ceil(targets / self.dense_per_word)

    def fan_out_words(self, states: int) -> int:
        """Return the words of one axon's synapses to so many states of its channel."""
        return -(-states // self.fan_out_per_word)


def budget_of(hardware: Hardware) -> Budget:
    """Return what the file of a chip says.

    Raises
    ------
    TargetError
        If the file lacks a number that placement cannot do without.
    """

    def least(key: str) -> int:
        return int(hardware.require("limits", key).low)

    def most(key: str) -> int:
        return int(hardware.require("limits", key).high)

    largest, sparse = hardware.limits.system_chips, hardware.limits.sparse_synapses_per_word
    shared = hardware.limits.shared_weights_per_word
    return Budget(
        cores=least("cores"),
        chips=int(largest.high) if largest else None,
        neuron_words=least("neuron_words_per_core"),
        shared_words=least("synapse_words_per_core"),
        total_words=least("words_per_core"),
        groups=least("neuron_groups_per_core"),
        words_a_neuron=least("words_per_neuron"),
        plain=most("neuron_words_plain"),
        real_state=most("neuron_words_real_state"),
        complex_state=most("neuron_words_complex_state"),
        axon_in=most("axon_in_words"),
        axon_map=most("axon_map_words"),
        dense_per_word=hardware.require("limits", "synapses_per_word").low,
        sparse_per_word=max(sparse.low, 1.0) if sparse else None,
        shared_per_word=shared.low if shared else None,
        shared_axons=most("shared_axon_in_words") if shared else 0,
        fan_out_per_word=least("fan_out_synapses_per_word"),
        lone_synapse=most("lone_synapse_words"),
    )
