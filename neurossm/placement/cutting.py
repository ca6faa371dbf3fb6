"""How many parts a population needs, and what to do where one neuron's fan-in fills a core."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from neurossm.errors import TargetError
from neurossm.placement.budget import Budget
from neurossm.placement.population import DENSE, ONE_TO_ONE, REDUCE, Connection, Population


def most_neurons(population: Population, budget: Budget) -> int:
    """Return how many of its neurons fit one core; 0 where not even one does."""
    if population.fits(population.neurons, budget):
        return population.neurons
    low, high = 0, population.neurons  # low fits, high does not
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if population.fits(middle, budget) else (low, middle)
    return low


def fewest_parts(population: Population, budget: Budget, where: str) -> int:
    """Return the fewest cores of a population by itself.

    Raises
    ------
    TargetError
        If one neuron does not fit; says which limit and by how much.
    """
    words = population.neuron_words(budget)
    limit = min(budget.neuron_words, budget.words_a_neuron)
    if words > limit:
        several = population.real_states + population.complex_states > 1
        raise _refusal(
            population, where, f"at most {limit:,} words a neuron", f"{words:,}",
            "use fewer states a channel, or --ssm-mapping state" if several
            else "use a chip whose neurons have more words",
        )  # fmt: skip
    most = most_neurons(population, budget)
    if most == 0:
        needed = population.words(0, 1, budget)
        raise _refusal(
            population, where,
            f"at most {budget.shared_words:,} words of axons and synapses a core",
            f"{needed.shared:,} for one neuron",
            "use fewer states a channel, or fewer inputs to one neuron",
        )  # fmt: skip
    return -(-population.neurons // most)


def _refusal(
    population: Population, where: str, expected: str, got: str, remedy: str
) -> TargetError:
    node = population.nodes[-1] if population.nodes else population.name
    return TargetError(f"node {node!r} on {where}", expected=expected, got=got, remedy=remedy)


def cut_evenly(neurons: int, parts: int) -> list[tuple[int, int]]:
    """Return first and stop of so many parts, no two of which differ by more than one."""
    ends = [neurons * i // parts for i in range(parts + 1)]
    return list(pairwise(ends))


def heaviest(population: Population, parts: int, budget: Budget) -> int:
    """Return the words of its heaviest part."""
    slices = cut_evenly(population.neurons, parts)
    return max(population.words(first, stop, budget).total for first, stop in slices)


def with_fan_in_cut(populations: Sequence[Population], budget: Budget) -> tuple[Population, ...]:
    """Return the populations, those with too large a fan-in behind relays that sum its parts."""
    found: list[Population] = []
    for population in populations:
        dense = [c for c in population.inputs if c.kind == DENSE]
        if not dense or most_neurons(population, budget):
            found.append(population)
            continue
        while not most_neurons(population, budget):
            dense = [c for c in population.inputs if c.kind == DENSE]
            if not dense:
                break
            largest = max(dense, key=lambda c: c.axons)
            base = largest.node or population.name
            before = sum(p.kind == "part" and p.inputs[0].node == largest.node for p in found)
            parts, population = _cut_connection(population, largest, budget, base, before)
            found += parts
        found.append(population)
    return tuple(found)


def _cut_connection(
    population: Population, connection: Connection, budget: Budget, base: str, before: int
) -> tuple[list[Population], Population]:
    """Return the relays of one connection's parts and the population behind them.

    They are called ``base.partK``; `before` of that name are there already.
    """
    ways = _ways(population, connection, budget)
    parts = min(ways, key=lambda n: _cores(population, connection, n, budget))
    relays = [
        _relay(population, replace(connection, axons=stop - start, first=connection.first + start))
        for start, stop in cut_evenly(connection.axons, parts)
    ]
    relays = [
        replace(relay, name=f"{base}.part{number}") for number, relay in enumerate(relays, before)
    ]
    return relays, _behind(population, connection, [relay.name for relay in relays])


def _ways(population: Population, connection: Connection, budget: Budget) -> list[int]:
    """Return numbers of parts to try, from the fewest that fit, each about a quarter more."""
    one = budget.axon_in + budget.dense_words(1)
    parts = max(2, -(-connection.axons * one // (budget.shared_words - budget.axon_map)))
    ways = [parts]
    most = budget.shared_words // (budget.axon_in + budget.lone_synapse)
    while ways[-1] < min(connection.axons, most):
        ways.append(min(connection.axons, most, ways[-1] + max(1, ways[-1] // 4)))
    return ways


def _relay(population: Population, connection: Connection) -> Population:
    sums = population.neurons * connection.rows  # a relay keeps one
    return Population(population.name, "part", (), sums, (replace(connection, rows=1),))


def _behind(population: Population, connection: Connection, names: Sequence[str]) -> Population:
    rows, sums = connection.rows, population.neurons * connection.rows
    summed = tuple(Connection(name, ONE_TO_ONE, sums, rows=rows) for name in names)
    others = tuple(c for c in population.inputs if c is not connection)
    return replace(population, inputs=others + summed)


def _cores(
    population: Population, connection: Connection, parts: int, budget: Budget
) -> tuple[float, int]:
    """Return how many cores a cut needs, and its parts; infinite where it does not fit."""
    # so many one-to-one connections take the words of one reduction
    parts_of_all = parts * connection.rows
    summed = Connection("", REDUCE, parts_of_all * population.neurons, parts_of_all)
    others = tuple(c for c in population.inputs if c is not connection)
    behind = replace(population, inputs=(*others, summed))
    largest = replace(connection, axons=-(-connection.axons // parts))
    most_behind = most_neurons(behind, budget)
    most_relays = most_neurons(_relay(population, largest), budget)
    more_to_cut = any(c.kind == DENSE for c in behind.inputs)
    if not most_relays or not (most_behind or more_to_cut):
        return float("inf"), parts
    needed = parts * -(-population.neurons * connection.rows // most_relays)
    return needed + (-(-behind.neurons // most_behind) if most_behind else 0), parts
