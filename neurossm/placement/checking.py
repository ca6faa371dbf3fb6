"""Whether a chip can hold each node of a graph, and all of them together: `check`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace

import numpy as np

from neurossm import contract
from neurossm.arguments import instance
from neurossm.errors import GraphError, TargetError
from neurossm.graph import Graph
from neurossm.hardware import Hardware, Quantity
from neurossm.nodes import Node, Role
from neurossm.placement.mapping import DEFAULT_MAPPING
from neurossm.placement.placing import place
from neurossm.placement.result import Placement

GRADED = "graded messages"  # a key of a chip's refusals that is no node type


@dataclass(frozen=True)
class Finding:
    """One reason why the chip cannot hold a node, and what to do."""

    reason: str
    remedy: str


@dataclass(frozen=True)
class NodeCheck:
    """One node and what was found against it; nothing: it is ok."""

    name: str
    type: str
    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """True where nothing was found."""
        return not self.findings


@dataclass(frozen=True)
class Check:
    """The answer to whether a graph can go on a chip.

    Attributes
    ----------
    hardware, ssm_mapping
        For which it holds.
    nodes
        One for each node, in graph order.
    placement
        How it fits; None where it does not, or was not tried because a node fails.
    fits
        True or False; None where the file of the chip lacks the limits to tell.
    why_not
        Why there is no placement.
    """

    hardware: str
    ssm_mapping: str
    nodes: tuple[NodeCheck, ...]
    placement: Placement | None
    fits: bool | None
    why_not: str = ""

    @property
    def ok(self) -> bool:
        """True where every node is ok and all fit."""
        return bool(self.fits) and all(node.ok for node in self.nodes)

    def as_json(self) -> dict[str, object]:
        """Return plain values."""
        placed = self.placement
        return {
            "hardware": self.hardware,
            "ssm_mapping": self.ssm_mapping,
            "ok": self.ok,
            "nodes": [
                {"name": n.name, "type": n.type, "ok": n.ok,
                 "findings": [asdict(finding) for finding in n.findings]}
                for n in self.nodes
            ],
            "fits": self.fits,
            "why_not": self.why_not,
            "cores": len(placed.cores) if placed else None,
            "chips": placed.chips if placed else None,
            "largest_load": placed.largest_load if placed else None,
        }  # fmt: skip


def check(
    graph: Graph, hardware: Hardware, chips: int | None = None, ssm_mapping: str = DEFAULT_MAPPING
) -> Check:
    """Check every node of a graph against a chip, then all of them together.

    A node fails where it breaks the integer contract, where the chip's file refuses its type or its
    activations, or where its integers are wider than the chip's.
    """
    instance("graph", graph, Graph, remedy="neurossm.load reads one from a file")
    instance("hardware", hardware, Hardware, remedy="load_hardware reads one by name")
    problems: dict[str, list[Finding]] = {name: [] for name in graph.nodes}
    for problem in contract.problems(graph):
        reason = f"expected {problem.expected}, got {problem.got}"
        problems[problem.node].append(Finding(reason, problem.remedy))
    nodes = tuple(
        NodeCheck(
            name,
            type(graph.nodes[name]).__name__,
            (*problems[name], *_refused(graph, name, hardware), *_widths(graph, name, hardware)),
        )
        for name in graph.order
    )
    answer = Check(hardware.name, ssm_mapping, nodes, None, True)
    try:
        return replace(answer, placement=place(graph, hardware, chips, ssm_mapping))
    except TargetError as error:
        missing = error.where.startswith("hardware ")  # a limit that its file does not hold
        return replace(answer, fits=None if missing else False, why_not=str(error))
    except GraphError as error:
        return replace(answer, fits=False, why_not=str(error))


def _refused(graph: Graph, name: str, hardware: Hardware) -> Iterator[Finding]:
    node = graph.nodes[name]
    refusal = hardware.refuses.get(type(node).__name__)
    if refusal is not None:
        yield Finding(refusal.reason, refusal.remedy)
    graded = hardware.refuses.get(GRADED)
    if graded is not None and _sends_graded(graph, name):
        yield Finding(f"sends graded spikes: {graded.reason}", graded.remedy)


def _sends_graded(graph: Graph, name: str) -> bool:
    """Tell whether graded spikes leave a neuron; a sum stays where the next neuron is."""
    node = graph.nodes[name]
    if node.role is Role.DELAY:
        return False  # a property of synapses: what feeds it sends
    if node.role is Role.OUTPUT or (node.out is not None and node.out.is_spike):
        return False
    if name in graph.vocabularies:
        return False  # a token is one spike of many axons
    delayed = any(graph.nodes[target].role is Role.DELAY for target in graph.targets[name])
    receivers = [graph.nodes[target] for target in _behind_delays(graph, name)]
    if node.role is Role.SYNAPSES and not delayed:
        return len(receivers) > 1 or any(r.role is Role.SYNAPSES for r in receivers)
    return any(r.role is not Role.OUTPUT for r in receivers)


def _behind_delays(graph: Graph, name: str) -> set[str]:
    """Return the nodes that a node feeds, at once or through delays."""
    found, waiting = set(), list(graph.targets[name])
    for target in waiting:
        if target in found:
            continue
        found.add(target)
        if graph.nodes[target].role is Role.DELAY:
            waiting += graph.targets[target]
    return {target for target in found if graph.nodes[target].role is not Role.DELAY}


def _widths(graph: Graph, name: str, hardware: Hardware) -> Iterator[Finding]:
    node, limits = graph.nodes[name], hardware.limits
    for what, bits, limit, option in (
        ("weights", _weight_bits(node), limits.weight_bits, "--weights"),
        ("a state", _state_bits(node), limits.state_bits, "--state"),
        ("messages", _message_bits(node), limits.message_bits, "--activations"),
    ):
        if bits is not None and limit is not None and bits > limit.high:
            reason = f"{what} of {bits} bits, at most {_shown(limit)}"
            yield Finding(reason, f"quantize with {option} {limit.high:g}")


def _weight_bits(node: Node) -> int | None:
    if node.role is not Role.SYNAPSES:
        return None
    # 8 bits with sign: mantissas from -127 to 127
    found = node.fields_of("weight_bits")
    each = [int(np.abs(field.values).max(initial=0)).bit_length() + 1 for field in found]
    return max(each, default=None)


def _state_bits(node: Node) -> int | None:
    return max((field.bits for field in node.fields_of("state_bits")), default=None)


def _message_bits(node: Node) -> int | None:
    return None if node.out is None or node.out.is_spike else node.out.bits


def _shown(limit: Quantity) -> str:
    return f"{limit.high:g} [{limit.grade}]"
