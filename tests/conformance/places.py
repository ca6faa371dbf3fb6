"""Where a node type goes and where it does not, as the code itself says it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from node_examples import NODE, Example, examples

from neurossm.errors import GraphError, NeurossmError
from neurossm.hardware import load_hardware
from neurossm.placement import check
from neurossm_converters.formats import nir


@dataclass(frozen=True)
class Place:
    """How many of a type's examples go somewhere, and the reasons of the others."""

    examples: int
    taken: int
    reasons: tuple[str, ...]

    @property
    def word(self) -> str:
        """``yes``, ``some``, or ``no``."""
        return "yes" if self.taken == self.examples else "some" if self.taken else "no"

    def require(self, where: str) -> None:
        """Raise the reasons as a `GraphError` where no example is taken."""
        if not self.taken:
            raise GraphError(where, got="; ".join(self.reasons))


def placed(kind: str, found: list[str]) -> Place:
    """Return a place from a reason for each example; an empty one where it was taken."""
    reasons = tuple(dict.fromkeys(reason for reason in found if reason))
    return Place(len(found), found.count(""), reasons)


def in_nir(kind: str) -> Place:
    """Return where NIR holds a type: reasons against the node itself."""
    return placed(kind, [nir_reason(example) for example in examples(kind)])


def nir_reason(example: Example) -> str:
    """Return what is said against the node under test, without its name."""
    start = f"node {NODE!r} ({type(example.node).__name__}): "
    found = [reason for reason in nir.expressible(example.graph) if reason.startswith(start)]
    return found[0].removeprefix(start) if found else ""


def on_chip(kind: str, chip: str, mapping: str) -> Place:
    """Return what the file of a chip says of a type, of the node itself."""
    return placed(kind, [chip_reason(example, chip, mapping) for example in examples(kind)])


def chip_reason(example: Example, chip: str, mapping: str) -> str:
    """Return the findings against the node under test."""
    answer = check(example.integers, load_hardware(chip), ssm_mapping=mapping)
    nodes = [node for node in answer.nodes if node.name == NODE]  # none where it was folded
    findings = [finding for node in nodes for finding in node.findings]
    assert all(finding.reason and finding.remedy for finding in findings)
    return "; ".join(finding.reason for finding in findings) or (
        answer.why_not if answer.fits is False else ""
    )


def on_lava(kind: str) -> Place:
    """Return what the Lava executor says before it starts anything."""
    from neurossm_converters.backends.lava import make_plan

    found = []
    for example in examples(kind):
        try:
            make_plan(example.integers)
            found.append("")
        except NeurossmError as error:
            found.append(re.sub(r"^node '\w+'( \(\w+\))?: ", "", str(error)))
    return placed(kind, found)
