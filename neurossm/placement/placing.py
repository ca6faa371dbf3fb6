"""Placement on cores and chips: `place`."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from neurossm.arguments import instance, whole
from neurossm.errors import TargetError
from neurossm.graph import Graph
from neurossm.hardware import Hardware
from neurossm.placement.budget import Budget, budget_of
from neurossm.placement.cutting import cut_evenly, fewest_parts, heaviest, with_fan_in_cut
from neurossm.placement.mapping import DEFAULT_MAPPING, assumptions, populations_of
from neurossm.placement.population import Population, Words
from neurossm.placement.result import Core, Placement, Slice
from neurossm.placement.shape import Shape, shape_of

Parts = Mapping[str, int]


def place(
    graph: Graph | Shape,
    hardware: Hardware,
    chips: int | None = None,
    ssm_mapping: str = DEFAULT_MAPPING,
) -> Placement:
    """Return which core of which chip holds which neurons of a network.

    Every population has cores of its own, as in the compiler's published tables. One that fits a
    core stays whole. One that does not is cut evenly into the fewest parts, and into one more where
    a part would be heavier than the fullest whole core: that gives the core counts of both
    published S4D networks. Where `chips` are too few for that, populations share cores, up to the
    groups that a core has. Chips are filled in the order of the network.

    Parameters
    ----------
    graph
        Float or integer graph, or the shape of one.
    hardware
        A chip whose file has the limits of a core.
    chips
        Chips that exist; None: as many as it takes, up to the largest system known.
    ssm_mapping
        ``state``: one neuron a state; ``channel``: all states of a channel in one neuron, as
        ``neurossm deploy`` has them.

    Raises
    ------
    TargetError
        If it does not fit, or the file lacks a limit. Names node, limit, needed, available, remedy.
    InputError
        If `chips` is below 1 or the mapping unknown.
    """
    instance("hardware", hardware, Hardware, remedy="load_hardware reads one by name")
    shape = graph if isinstance(graph, Shape) else shape_of(instance("graph", graph, Graph))
    return place_populations(populations_of(shape, ssm_mapping), hardware, chips, ssm_mapping)


def place_populations(
    populations: Sequence[Population],
    hardware: Hardware,
    chips: int | None = None,
    ssm_mapping: str = DEFAULT_MAPPING,
) -> Placement:
    """Return the placement of populations, made by the mapping that is named; see `place`."""
    if chips is not None:
        whole("chips", chips)
    budget, where = budget_of(hardware), repr(hardware.name)
    complete = with_fan_in_cut(populations, budget)
    fewest = {p.name: fewest_parts(p, budget, where) for p in complete}
    available = (chips or budget.chips or 2**31) * budget.cores
    cores = _slices_on_cores(complete, _evened_out(complete, fewest, budget))
    if len(cores) > available:
        cores = _slices_on_cores(complete, fewest)
    by_name = {p.name: p for p in complete}
    if len(cores) > available:
        cores = _shared(cores, by_name, budget)
    if len(cores) > available:
        raise _too_many(cores, fewest, available, chips, budget, where)
    words = [_words(slices, by_name, budget) for slices in cores]
    return Placement(
        hardware=hardware.name,
        ssm_mapping=ssm_mapping,
        populations=by_name,
        cores=tuple(
            _core(index, slices, used, budget)
            for index, (slices, used) in enumerate(zip(cores, words, strict=True))
        ),
        chips=-(-len(cores) // budget.cores),
        budget=budget,
        assumptions=assumptions(complete),
    )


def _core(index: int, slices: Sequence[Slice], used: Words, budget: Budget) -> Core:
    chip, on_chip = divmod(index, budget.cores)
    return Core(
        chip, on_chip, tuple(slices), used.neuron, used.axon_in, used.synapse, used.axon_map
    )


def _evened_out(populations: Sequence[Population], fewest: Parts, budget: Budget) -> Parts:
    """Return the parts of each population, one more where that keeps it from being the fullest.

    No more than it has neurons: a core without any would be left.
    """
    whole = max((heaviest(p, 1, budget) for p in populations if fewest[p.name] == 1), default=0)
    return {
        p.name: fewest[p.name]
        + int(
            1 < fewest[p.name] < p.neurons
            and whole > 0
            and heaviest(p, fewest[p.name], budget) > whole
        )
        for p in populations
    }


def _slices_on_cores(populations: Sequence[Population], parts: Parts) -> list[list[Slice]]:
    return [
        [Slice(p.name, first, stop)]
        for p in populations
        for first, stop in cut_evenly(p.neurons, parts[p.name])
    ]


def _words(slices: Sequence[Slice], by_name: Mapping[str, Population], budget: Budget) -> Words:
    return sum((by_name[s.population].words(s.first, s.stop, budget) for s in slices), Words())


def _shared(
    cores: Sequence[list[Slice]], by_name: Mapping[str, Population], budget: Budget
) -> list[list[Slice]]:
    """Return fewer cores: onto each heavy one as many light ones as fit, up to its groups."""
    order = {name: index for index, name in enumerate(by_name)}
    weighed = sorted(
        ((_words(slices, by_name, budget), slices) for slices in cores),
        key=lambda item: -item[0].total,
    )
    waiting, filled = deque(weighed), []
    while waiting:
        words, slices = waiting.popleft()
        together = list(slices)
        while waiting and len(together) < budget.groups:
            more, lightest = waiting[-1]
            if not (words + more).fits(budget):
                break
            words += more
            together += lightest
            waiting.pop()
        filled.append(together)
    return sorted(filled, key=lambda s: min((order[i.population], i.first) for i in s))


def _too_many(
    cores: Sequence[list[Slice]],
    fewest: Parts,
    available: int,
    chips: int | None,
    budget: Budget,
    where: str,
) -> TargetError:
    largest = max(fewest, key=lambda name: fewest[name])
    there, needed = available // budget.cores, -(-len(cores) // budget.cores)
    have = f"{there:,} chip{'s' * (there > 1)} of {budget.cores} cores"
    known = "" if chips else ", the largest system known"
    return TargetError(
        f"node {largest!r} on {where}",
        expected=f"at most {available:,} cores in all ({have}{known})",
        got=f"{len(cores):,}, of which {largest!r} needs {fewest[largest]:,}",
        remedy=f"use {needed:,} chips or more" if chips else "use a smaller network",
    )
