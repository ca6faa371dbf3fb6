"""Which neuro-core holds which neurons: `place`, under the published limits of a chip."""

from neurossm.placement.checking import Check, Finding, NodeCheck, check
from neurossm.placement.each import Placements, place_each
from neurossm.placement.encoding import Encoding
from neurossm.placement.mapping import DEFAULT_MAPPING, SSM_MAPPINGS, populations_of
from neurossm.placement.placing import place, place_populations
from neurossm.placement.population import Connection, Population, Words
from neurossm.placement.result import Core, Placement, Slice
from neurossm.placement.shape import NodeShape, Shape, shape_of

__all__ = [
    "DEFAULT_MAPPING",
    "SSM_MAPPINGS",
    "Check",
    "Connection",
    "Core",
    "Encoding",
    "Finding",
    "NodeCheck",
    "NodeShape",
    "Placement",
    "Placements",
    "Population",
    "Shape",
    "Slice",
    "Words",
    "check",
    "place",
    "place_each",
    "place_populations",
    "populations_of",
    "shape_of",
]
