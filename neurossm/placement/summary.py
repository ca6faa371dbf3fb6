"""The cores of each population, summed, as rows of a table: `summary`."""

from __future__ import annotations

from dataclasses import dataclass

from neurossm.placement.population import Words
from neurossm.placement.result import Placement


@dataclass(frozen=True)
class Row:
    """A population, or all relays that sum the parts of one fan-in.

    Attributes
    ----------
    number
        From 1, in the order of the network.
    name, kind
        Of the population; of relays of parts with how many there are.
    populations
        Names of what is in this row.
    neurons, cores
        How many.
    words_per_neuron
        Low and high; they differ where several states share a neuron.
    words
        Of all its slices.
    load
        Load of the fullest core that holds some of it.
    """

    number: int
    name: str
    kind: str
    populations: tuple[str, ...]
    neurons: int
    cores: int
    words_per_neuron: tuple[int, int]
    words: Words
    load: float


def summary(placement: Placement) -> tuple[Row, ...]:
    """Return one row for each population, relays of one cut fan-in together, in order."""
    groups: dict[str, list[str]] = {}
    for name, population in placement.populations.items():
        key = f"{population.inputs[0].node}.part*" if population.kind == "part" else name
        groups.setdefault(key, []).append(name)
    words: dict[str, Words] = {name: Words() for name in placement.populations}
    loads: dict[str, float] = {name: 0.0 for name in placement.populations}
    for core in placement.cores:
        for part in core.slices:
            name = part.population
            population = placement.populations[name]
            words[name] += population.words(part.first, part.stop, placement.budget)
            loads[name] = max(loads[name], placement.load(core))
    rows = []
    for number, (key, names) in enumerate(groups.items(), start=1):
        first = placement.populations[names[0]]
        cores = {core for name in names for _, core in placement.slices_of[name]}
        rows.append(
            Row(
                number,
                key,
                f"{len(names)} parts" if first.kind == "part" else first.kind,
                tuple(names),
                sum(placement.populations[name].neurons for name in names),
                len(cores),
                (
                    first.fewest_neuron_words(placement.budget),
                    first.neuron_words(placement.budget),
                ),
                sum((words[name] for name in names), Words()),
                max(loads[name] for name in names),
            )
        )
    return tuple(rows)
