"""The seven counters of a run, from the paragraph on ``counts`` in FORMAT.md and from nothing else.

It imports numpy and the interpreter beside it, never neurossm: what it cannot count, FORMAT.md does
not define.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

try:
    from independent import interpreter
except ImportError:  # as a script, beside it
    import interpreter  # type: ignore[no-redef]

COUNTERS = (
    "syn_ops", "synaptic_multiplies", "dendrite_updates", "spikes_in", "axon_out", "spikes_out",
    "saturations",
)  # fmt: skip
NO_NEURONS = ("Input", "Output", "Affine", "Conv2d", "Embedding", "Delay")
WEIGHTS = ("Affine", "Conv2d")
SPIKES = ("binary", "ternary")


def count(file: interpreter.File, inputs: Mapping[str, NDArray[Any]]) -> dict[str, dict[str, int]]:
    """Return the counters of every node for one sequence (T, C) of each input."""
    nodes = {node.name: node for node in file.nodes}
    targets = {name: [n for n in file.nodes if name in n.sources] for name in nodes}
    tokens = {
        name for name, node in nodes.items()
        if node.type == "Input" and any(n.type == "Embedding" for n in targets[name])
    }  # fmt: skip
    found = {name: dict.fromkeys(COUNTERS, 0) for name in nodes}
    interpreter.CLIPPED[0] = 0

    def watch(
        node: interpreter.Node, arriving: list[interpreter.Message], values: interpreter.Integers
    ) -> None:
        counts = found[node.name]
        sent = messages(values, node.name in tokens)
        counts["spikes_out"] += sent
        counts["axon_out"] += sent * len(targets[node.name])
        for source, message in zip(node.sources, arriving, strict=True):
            counts["spikes_in"] += messages(message.values, source in tokens)
            operations = synapses(node, message)
            counts["syn_ops"] += operations
            if node.type in WEIGHTS and multiplies(node, nodes[source]):
                counts["synaptic_multiplies"] += operations
        counts["dendrite_updates"] += updates(node, values)
        counts["saturations"] += interpreter.CLIPPED[0]
        interpreter.CLIPPED[0] = 0

    interpreter.run(file, inputs, watch)
    return found


def messages(values: interpreter.Integers, every: bool) -> int:
    """Return how many messages these values are."""
    return len(values) if every else sum(value != 0 for value in values.tolist())


def synapses(node: interpreter.Node, message: interpreter.Message) -> int:
    """Return the synaptic operations of what arrives on one edge."""
    if node.type == "Embedding":
        return int(node.parameter("table").values.shape[1])
    if node.type == "Conv2d":
        values = node.parameter("weight").values
        return sum(
            bool(values[o, i, k, m]) and bool(message.values[source])
            for o, i, k, m, _, _, source in interpreter.conv_synapses(node)
        )
    if node.type != "Affine":
        return 0
    there = np.count_nonzero(node.parameter("weight").values, axis=0)
    return sum(int(n) for n, value in zip(there, message.values, strict=True) if value)


def multiplies(node: interpreter.Node, source: interpreter.Node) -> bool:
    """Tell whether an `Affine` or a `Conv2d` multiplies what this node sends."""
    magnitudes = {abs(w) for w in node.parameter("weight").values.ravel().tolist()} - {0}
    one_power = len(magnitudes) <= 1 and all(m & (m - 1) == 0 for m in magnitudes)
    return source.out["kind"] not in SPIKES and not one_power


def updates(node: interpreter.Node, values: interpreter.Integers) -> int:
    """Return the neuron updates of one step."""
    if node.type in ("DiagonalSSM", "ComplexDiagonal"):
        return int(node.parameter("a_re").values.size)
    if node.type == "LIF":
        has_trace = any(node.parameter("kappa").values.tolist())
        return len(values) * (2 if has_trace else 1)
    if node.type == "AdaptiveLIF":
        return 2 * len(values)
    return 0 if node.type in NO_NEURONS else len(values)
