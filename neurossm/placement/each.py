"""A network placed by every mapping of its state space models: `place_each`."""

from __future__ import annotations

from dataclasses import dataclass

from neurossm.arguments import instance
from neurossm.errors import TargetError
from neurossm.graph import Graph
from neurossm.hardware import Hardware
from neurossm.placement.mapping import SSM_MAPPINGS
from neurossm.placement.placing import place
from neurossm.placement.result import Placement
from neurossm.placement.shape import Shape, shape_of


@dataclass(frozen=True)
class Placements:
    """What `place_each` found.

    Attributes
    ----------
    fit
        A placement for each mapping that fits; one where the mappings do not differ.
    problems
        Mapping and reason of each that does not.
    """

    fit: tuple[Placement, ...]
    problems: tuple[tuple[str, str], ...] = ()

    @property
    def why_not(self) -> str:
        """Why there is no placement at all; empty where there is one."""
        return "" if self.fit else self.problems[0][1]


def place_each(
    graph: Graph | Shape,
    hardware: Hardware,
    chips: int | None = None,
    ssm_mapping: str | None = None,
) -> Placements:
    """Place a network by each mapping of `SSM_MAPPINGS`, or by the one that is named.

    A network without a `DiagonalSSM` has one mapping only. That it does not fit, or that the file
    of the chip lacks a limit, is an answer and no error.

    Raises
    ------
    InputError
        If `chips` is below 1 or the mapping unknown.
    """
    shape = graph if isinstance(graph, Shape) else shape_of(instance("graph", graph, Graph))
    mappings: tuple[str, ...] = SSM_MAPPINGS if ssm_mapping is None else (ssm_mapping,)
    if not any(node.modes for node in shape.nodes.values()):
        mappings = mappings[:1]
    fit: list[Placement] = []
    problems: list[tuple[str, str]] = []
    for mapping in mappings:
        try:
            fit.append(place(shape, hardware, chips, mapping))
        except TargetError as error:
            problems.append((mapping, str(error)))
    return Placements(tuple(fit), tuple(problems))
