"""NeuroBench's algorithm metrics under its own keys, and what it cannot count.

The definitions are those of neurobench 2.3.0; ``tests/optional`` runs that package on networks that
it can count, and every number agrees. NeuroBench hooks layers of PyTorch (Linear, Conv, RNN cells):
a diagonal recurrence or a membrane of tensor operations is in none of its numbers, so the
recurrence has an entry of its own here.

Where the two part by construction:

- NeuroBench calls a whole call of a layer ACs if every value of that call happens to be -1, 0 or 1;
  here the format of the activations decides, so graded spikes are MACs whatever their values.
- It rounds ConnectionSparsity to four places, and sums operations in float32.
- Footprint takes each parameter at its own width: 8-bit weights are a byte, 24-bit biases three.
  Weights of 0 are in it, pruned ones too, as in NeuroBench: ConnectionSparsity says how many.
"""

from __future__ import annotations

from collections.abc import Mapping, Set

import numpy as np

from neurossm.fixed import Quantized
from neurossm.graph import Graph
from neurossm.metrics.dense import dense_operations
from neurossm.nodes import Meets, Weighted
from neurossm.trace import Counts

VERSION = "2.3.0"


def neurobench_numbers(
    graph: Graph,
    counts: Mapping[str, Counts],
    spike_fed: Set[str],
    samples: int,
    steps: float,
) -> dict[str, float]:
    """Return the six numbers, per sample; see `neurossm.metrics.measure`."""
    graded_fed = {name for name, node in graph.nodes.items() if node.meets is Meets.ACCUMULATE}
    graded_fed -= spike_fed
    acs, macs = (sum(counts[name].syn_ops for name in fed) for fed in (spike_fed, graded_fed))
    dense = sum(found.matrix_macs for found in dense_operations(graph).values())
    return {
        "Effective_ACs": acs / samples,
        "Effective_MACs": macs / samples,
        "Dense": float(dense * steps),
        "ActivationSparsity": _activation_sparsity(graph, counts, round(samples * steps)),
        "ConnectionSparsity": _connection_sparsity(graph),
        "Footprint": float(_footprint(graph)),
    }


def recurrence(
    graph: Graph, counts: Mapping[str, Counts], samples: int, steps: float
) -> dict[str, float]:
    """Return the work of recurrences for one sample, which NeuroBench does not see.

    ``State_Updates`` are updates of complex states, membranes and refractory variables;
    ``Effective_MACs`` the real multiply-accumulates in them, by the rules of
    `neurossm.metrics.DenseOperations`: a recurrence computes every step whatever the sparsity.
    Running sums (`Accumulate`) multiply nothing and are not in it.
    """
    dense = dense_operations(graph)
    names = [name for name, node in graph.nodes.items() if node.factors]
    return {
        "State_Updates": sum(counts[name].dendrite_updates for name in names) / samples,
        "Effective_MACs": float(sum(dense[name].state_macs for name in names) * steps),
    }


def _activation_sparsity(graph: Graph, counts: Mapping[str, Counts], runs: int) -> float:
    sent = possible = 0
    for name, node in graph.nodes.items():
        if node.activates:
            sent += counts[name].spikes_out
            possible += node.out_channels * runs
    return 1 - sent / possible if possible else 0.0


def _connection_sparsity(graph: Graph) -> float:
    weights = [node.weight for node in graph.nodes.values() if isinstance(node, Weighted)]
    arrays = [weight.values for weight in weights if isinstance(weight, Quantized)]
    size = sum(array.size for array in arrays)
    nonzero = sum(int(np.count_nonzero(array)) for array in arrays)
    return 1 - nonzero / size if size else 0.0


def _footprint(graph: Graph) -> int:
    total = 0
    for node in graph.nodes.values():
        for name in node.shapes:
            parameter = getattr(node, name)
            if isinstance(parameter, Quantized):
                total += parameter.values.size * -(-parameter.bits // 8)
    return total
