"""Builds the Lava network of a graph: a process a node, synapses on every edge into an Affine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lava.proc.dense.process import Dense
from lava.utils.weightutils import SignMode

from neurossm.fixed import Quantized
from neurossm.graph import Graph
from neurossm.nodes import (
    LIF,
    Accumulate,
    Affine,
    DiagonalSSM,
    Embedding,
    Input,
    Node,
    Output,
    PiecewiseLinear,
    Product,
    Sum,
    TernaryThreshold,
    Threshold,
)
from neurossm_converters.lava_backend.job import Job
from neurossm_converters.lava_backend.neuron import NeuronProcess
from neurossm_converters.lava_backend.plan import Plan
from neurossm_converters.lava_backend.processes import neurons
from neurossm_converters.lava_backend.record import Frame
from neurossm_converters.lava_backend.variables import variables_of

PROCESSES: dict[type[Node], type[NeuronProcess]] = {
    Input: neurons.Source,
    Output: neurons.Sink,
    Affine: neurons.Dendrite,
    DiagonalSSM: neurons.DiagonalSSM,
    Threshold: neurons.Threshold,
    Sum: neurons.Sum,
    Product: neurons.Product,
    PiecewiseLinear: neurons.PiecewiseLinear,
    Accumulate: neurons.Accumulate,
    TernaryThreshold: neurons.TernaryThreshold,
    LIF: neurons.LIF,
    Embedding: neurons.Embedding,
}


def build(job: Job, plan: Plan, folder: Path) -> dict[str, Any]:
    """Build and connect the processes of a job; return those of the nodes by name."""
    graph, stacked = job.graph, job.options.stacked
    made: dict[str, Any] = {}
    for index, name in enumerate(graph.order):
        node = graph.nodes[name]
        formats = [fmt for s in graph.sources[name] if (fmt := graph.nodes[s].out) is not None]
        # synapses end at a dendrite, which receives what they send, not what they get
        arriving = node.out_channels if isinstance(node, Affine) else node.in_channels
        variables = variables_of(node, formats, stacked)
        made[name] = PROCESSES[type(node)](frame_of(job, plan, folder, index), arriving, variables)
        for position, source in enumerate(graph.sources[name]):
            end = made[source].s_out
            if isinstance(node, Affine):
                synapses = _synapses(graph, source, name, stacked)
                end.connect(synapses.s_in)
                end = synapses.a_out
            end.connect(made[name].port(position))
    return made


def frame_of(job: Job, plan: Plan, folder: Path, index: int) -> Frame:
    """Return the place in the run of the node at a position of the graph's order."""
    name = job.graph.order[index]
    fault = job.fault if job.fault is not None and job.fault.node == name else None
    return Frame(
        folder=str(folder),
        index=index,
        node=name,
        channels=job.graph.nodes[name].out_channels,
        latency=plan.latencies[name],
        delays=tuple(plan.delays[source, name] for source in job.graph.sources[name]),
        samples=job.samples,
        steps=job.steps,
        stacked=job.options.stacked,
        recorded=name in job.recorded,
        fault=fault,
    )


def _synapses(graph: Graph, source: str, target: str, stacked: int) -> Any:
    node, fmt = graph.nodes[target], graph.nodes[source].out
    assert isinstance(node, Affine) and isinstance(node.weight, Quantized) and fmt is not None
    name, weight = f"synapses {source} -> {target}", node.weight.values
    if stacked > 1:
        return neurons.StackedSynapses(name, weight, stacked)
    return Dense(
        name=name,
        # mixed signs clear the lowest bit: 2m goes in, and the exponent takes the 2 back
        weights=2 * weight,
        weight_exp=-1,
        num_weight_bits=8,
        sign_mode=SignMode.MIXED,
        # 0 bits makes every non-zero message a 1, which is wrong for -1
        num_message_bits=0 if fmt.kind == "binary" else fmt.bits if fmt.kind == "graded" else 24,
    )
