"""SANA-FE itself, where NEUROSSM_SANAFE_PYTHON names an interpreter that has it."""

import json
from itertools import pairwise

import numpy as np
import pytest

from neurossm.energy import estimate
from neurossm.engine import run
from neurossm.fixed import Fixed, Quantized
from neurossm.graph import Graph
from neurossm.hardware import load_hardware
from neurossm.metrics import measure
from neurossm.nodes import LIF, Affine, Input, Node, Output
from neurossm.placement import place

SIZES, STEPS, UNIT = (24, 32, 16), 6, 32  # membranes stay whole while they are halved


def integers(values: object, frac: int = 0, bits: int = 8) -> Quantized:
    return Quantized(np.asarray(values, dtype=np.int64), frac, bits)


def network(seed: int) -> dict:
    rng = np.random.default_rng(seed)
    layers = []
    for n_in, n_out in pairwise(SIZES):
        weight = UNIT * rng.integers(-2, 4, (n_out, n_in)) * (rng.random((n_out, n_in)) < 0.5)
        theta = UNIT * rng.integers(2, 5, n_out)
        layers.append({"weight": weight.tolist(), "theta": theta.tolist(), "leak": 0.5,
                       "reset": "hard"})  # fmt: skip
    return {"spikes": (rng.random((STEPS, SIZES[0])) < 0.3).astype(int).tolist(), "layers": layers}


def graph_of(given: dict) -> Graph:
    nodes: dict[str, Node] = {"input": Input(channels=SIZES[0], out=Fixed.binary())}
    for k, layer in enumerate(given["layers"]):
        count = len(layer["theta"])
        zeros = [0] * count
        nodes[f"mix{k}"] = Affine(
            weight=integers(layer["weight"]), bias=integers(zeros, 0, 24), out=Fixed(24)
        )
        nodes[f"lif{k}"] = LIF(
            theta=integers(layer["theta"], 0, 24), tau=integers([2048] * count, 12, 13),
            rho=integers(zeros, 12, 13), kappa=integers(zeros, 0, 24), reset=layer["reset"],
        )  # fmt: skip
    nodes["output"] = Output(channels=SIZES[-1], out=Fixed.binary())
    return Graph(nodes, tuple(pairwise(nodes)))


# after a hard reset nothing fires in the silent steps at the end
@pytest.mark.parametrize("seed", [7, 8])
def test_events_and_energy_are_those_of_sanafe(run_in, tmp_path, seed) -> None:
    given = network(seed)
    file = tmp_path / "network.json"
    file.write_text(json.dumps(given))
    theirs = run_in("NEUROSSM_SANAFE_PYTHON", "sanafe_check.py", file)

    graph, chip = graph_of(given), load_hardware("loihi1")
    metrics = measure(graph, run(graph, np.asarray([given["spikes"]]), "fast"))
    nodes = metrics.nodes
    assert theirs["syn_ops"] == metrics.total.syn_ops > 0
    spiking = [nodes[name].spikes_out for name in ("input", "lif0", "lif1")]
    assert theirs["fired"] == sum(spiking)
    assert min(spiking) > 0
    # a message for each core that receives: each layer is one core
    assert theirs["messages"] == nodes["input"].axon_out + nodes["lif0"].axon_out
    assert theirs["hops"] == 0

    (events,) = next(s for s in chip.energy if s.name == "sanafe").events
    energy = theirs["energy_j"]
    synaptic = metrics.total.syn_ops * events.syn_op.high  # dense synapses
    assert energy["synapse"] == pytest.approx(synaptic, rel=1e-9)
    updates = metrics.total.dendrite_updates * theirs["steps"] / STEPS  # silent steps update too
    soma = updates * events.neuron_update.high + sum(spiking[1:]) * events.spike_out.value
    assert energy["soma"] == pytest.approx(soma, rel=1e-9)
    assert energy["network"] == pytest.approx(theirs["messages"] * events.axon_out.value, rel=1e-9)

    # and the whole of it inside the interval that a user gets, with the chip of that architecture
    placed = place(graph, load_hardware("loihi2"), ssm_mapping="state")
    mine = estimate(metrics, graph, load_hardware("loihi2"), placement=placed)
    interval = mine.by_constant_set["sanafe"].dynamic
    assert interval.low < energy["total"] < interval.high
    print(json.dumps({"seed": seed, "theirs": theirs, "ours_j": interval.as_json()}))
