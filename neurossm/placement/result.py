"""A finished placement as frozen values: `Placement`, its cores and its slices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from types import MappingProxyType

from neurossm.placement.budget import Budget
from neurossm.placement.encoding import Encoding, encodings
from neurossm.placement.population import Population, Words


@dataclass(frozen=True, slots=True)
class Slice:
    """Neurons of a population from `first` up to, without, `stop`."""

    population: str
    first: int
    stop: int

    @property
    def neurons(self) -> int:
        """How many."""
        return self.stop - self.first


@dataclass(frozen=True, slots=True)
class Core:
    """One neuro-core with what it holds, in the compiler's words.

    Attributes
    ----------
    chip, index
        Number of the chip, and of the core on it.
    slices
        What it holds; each is a neuron group.
    neuron_words, axon_in_words, synapse_words, axon_map_words
        Memory used.
    """

    chip: int
    index: int
    slices: tuple[Slice, ...]
    neuron_words: int
    axon_in_words: int
    synapse_words: int
    axon_map_words: int

    @property
    def words(self) -> Words:
        """Memory used, as a sum that can be added."""
        return Words(self.neuron_words, self.axon_in_words, self.synapse_words, self.axon_map_words)


@dataclass(frozen=True)
class Placement:
    """Which core holds which neurons.

    Attributes
    ----------
    hardware, ssm_mapping
        Name of the chip, and which mapping of the SSMs was taken.
    populations
        Name to population, in the order of the network.
    cores
        Cores in use, chip by chip.
    chips
        Chips in use.
    budget
        The limits that were kept.
    assumptions
        Sentences; what is not known of the chip and was taken for granted.
    """

    hardware: str
    ssm_mapping: str
    populations: Mapping[str, Population]
    cores: tuple[Core, ...]
    chips: int
    budget: Budget
    assumptions: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        object.__setattr__(self, "populations", MappingProxyType(dict(self.populations)))

    @cached_property
    def slices_of(self) -> Mapping[str, tuple[tuple[Slice, int], ...]]:
        """Name of each population to its slices in order, with the positions of their cores."""
        found: dict[str, list[tuple[Slice, int]]] = {name: [] for name in self.populations}
        for position, core in enumerate(self.cores):
            for part in core.slices:
                found[part.population].append((part, position))
        return {name: tuple(sorted(parts, key=_first)) for name, parts in found.items()}

    @property
    def neurons(self) -> int:
        """Neurons of all populations."""
        return sum(population.neurons for population in self.populations.values())

    @cached_property
    def encodings(self) -> tuple[Encoding, ...]:
        """How the synapses of each sparse node are stored."""
        slices = {n: [(p.first, p.stop) for p, _ in parts] for n, parts in self.slices_of.items()}
        return encodings([(p, slices[n]) for n, p in self.populations.items()], self.budget)

    @cached_property
    def total(self) -> Words:
        """Words of all cores."""
        return sum((core.words for core in self.cores), Words())

    @cached_property
    def largest(self) -> Words:
        """The most words of each kind on any core (each kind by itself)."""
        words = [core.words for core in self.cores]
        return Words(
            max(w.neuron for w in words),
            max(w.axon_in for w in words),
            max(w.synapse for w in words),
            max(w.axon_map for w in words),
        )

    def load(self, core: Core) -> float:
        """Return the part of a core's memory that is in use, 0 to 1."""
        return core.words.total / self.budget.total_words

    @property
    def largest_load(self) -> float:
        """Load of the fullest core."""
        return max(self.load(core) for core in self.cores)

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        return {
            "hardware": self.hardware,
            "ssm_mapping": self.ssm_mapping,
            "chips": self.chips,
            "neurons": self.neurons,
            "cores_in_use": len(self.cores),
            "totals": asdict(self.total),
            "maxima": {**asdict(self.largest), "load": self.largest_load},
            "populations": [self._population_json(p) for p in self.populations.values()],
            "cores": [self._core_json(core) for core in self.cores],
            "sparse_synapses": [asdict(found) for found in self.encodings],
            "assumptions": list(self.assumptions),
        }

    def _population_json(self, population: Population) -> dict[str, object]:
        return {
            "name": population.name,
            "kind": population.kind,
            "nodes": list(population.nodes),
            "neurons": population.neurons,
            "words_per_neuron": {
                "low": population.fewest_neuron_words(self.budget),
                "high": population.neuron_words(self.budget),
            },
            "inputs": [
                {"from": c.source, "kind": c.kind, "axons": c.axons, "node": c.node}
                for c in population.inputs
            ],
            "cores": len(self.slices_of[population.name]),
        }

    def _core_json(self, core: Core) -> dict[str, object]:
        return {
            "chip": core.chip,
            "index": core.index,
            "slices": [asdict(part) for part in core.slices],
            "neuron_words": core.neuron_words,
            "axon_in_words": core.axon_in_words,
            "synapse_words": core.synapse_words,
            "axon_map_words": core.axon_map_words,
            "load": self.load(core),
        }


def _first(part: tuple[Slice, int]) -> int:
    return part[0].first
