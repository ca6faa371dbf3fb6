"""netx networks as integer graphs: bit for bit what lava-dl's own network makes of them.

tests/fixtures/netx/README.md says where the files and the recorded answers come from.
"""

import json
import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
from fixtures.netx.layout import CUBA, write_dense

from neurossm import contract
from neurossm.engine import run
from neurossm.errors import GraphError
from neurossm.nodes import LIF, Accumulate, Affine, DiagonalSSM, Input, Output
from neurossm.store import load, save
from neurossm_converters.formats import netx

FIXTURES = Path(__file__).parents[1] / "fixtures" / "netx"
GOLDEN = json.loads((FIXTURES / "golden.json").read_text())
WRAP = 2**23


def agree(graph, spikes, found):
    """Compare with Lava's answer: spikes after the shift, currents and voltages of each layer."""
    spikes = np.array(spikes)
    ends = [name for name in graph.nodes if name.endswith((".neuron", ".readout"))]
    # in Lava's last step, layer k of N is at the step T + N - 1 - k of this graph
    padded = np.vstack([spikes, np.zeros((len(ends), spikes.shape[1]), int)])
    for k, end in enumerate(ends):
        steps = len(padded) - 1 - k
        states = run(graph, padded[None, :steps], engine="reference").states
        if end.endswith(".readout"):
            np.testing.assert_array_equal(states[f"{end}.sum"][0], found["v"][k])
        else:
            current = end.replace(".neuron", ".current.re")
            np.testing.assert_array_equal(states[current][0, :, 0], found["u"][k])
            np.testing.assert_array_equal(states[f"{end}.u"][0], found["v"][k])
    trace = run(graph, spikes[None], engine="reference")
    assert not sum(counts.saturations for counts in trace.counts.values())
    if ends[-1].endswith(".neuron"):
        late = np.array(found["spikes"])[len(ends) :]
        assert late.any()
        np.testing.assert_array_equal(trace.values["output"][0], late)


@pytest.mark.parametrize("name", GOLDEN)
def test_it_gives_the_integers_of_lava_dl(name):
    graph = netx.read(FIXTURES / name)
    contract.require(graph)
    agree(graph, GOLDEN[name]["case"]["spikes"], GOLDEN[name]["found"])


@pytest.mark.lava
def test_the_recorded_answers_are_those_of_lava_dl():
    try:
        metadata.version("lava-dl")
    except metadata.PackageNotFoundError:
        pytest.skip("lava-dl is not installed: its recorded answers were not checked again")
    cases = [{"path": str(FIXTURES / name), **GOLDEN[name]["case"]} for name in GOLDEN]
    done = subprocess.run(
        [sys.executable, str(FIXTURES / "run_lava_dl.py")],
        input=json.dumps(cases), stdout=subprocess.PIPE, text=True, timeout=250, check=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    found = json.loads(done.stdout.splitlines()[-1])
    assert found == [GOLDEN[name]["found"] for name in GOLDEN]


def lava_neuron(spikes, weight, neuron, bias):
    """Return spikes, (T, C), by Lava's equations in Python integers, wrapping and all."""

    def toward_zero(product):
        return abs(product) // 4096 * (1 if product >= 0 else -1)

    out = np.zeros((len(spikes), len(weight)), int)
    names = ("iDecay", "vDecay", "vThMant")
    given = [np.broadcast_to(neuron[name], len(weight)).tolist() for name in names]
    for i, (row, b) in enumerate(zip(weight.tolist(), bias.tolist(), strict=True)):
        u = v = 0
        current_decay, voltage_decay, threshold = (values[i] for values in given)
        for t, arriving in enumerate(spikes.tolist()):
            a = sum(w * s for w, s in zip(row, arriving, strict=True))
            u = toward_zero(u * (4096 - current_decay)) + 64 * a
            u = u - 2 * WRAP if u > WRAP else u + 2 * WRAP if u <= -WRAP else u
            v = toward_zero(v * (4096 - voltage_decay)) + u + 64 * b
            v = max(-(WRAP - 1), min(WRAP - 1, v))
            if v > 64 * threshold:
                out[t, i], v = 1, 0
    return out


@pytest.mark.parametrize("seed", range(12))
def test_it_follows_the_equations_of_lava(tmp_path, seed):
    rng = np.random.default_rng(seed)
    outs, ins = 4, 5
    each = outs if seed % 3 == 0 else None  # a value for each neuron
    # large thresholds with slow leaks reach the saturation of v
    neuron = CUBA | {
        "iDecay": rng.choice([1, 20, 1024, 4095, 4096], each),
        "vDecay": rng.choice([0, 1, 100, 4095, 4096], each),
        "vThMant": rng.choice([0, 3, 500, 2**17 - 1], each),
    }
    weight = 2 * rng.integers(-127, 128, (outs, ins)) if seed % 2 else rng.integers(-4, 5, (4, 5))
    weight = weight if np.min(neuron["iDecay"]) > 100 else np.sign(weight)
    bias = rng.integers(-50, 51, outs)
    spikes = (rng.random((200, ins)) < 0.5).astype(int)
    graph = netx.read(write_dense(tmp_path / "one.net", weight, neuron, bias=bias))
    trace = run(graph, spikes[None], engine="reference")
    expected = lava_neuron(spikes, weight, neuron, bias)
    np.testing.assert_array_equal(trace.values["output"][0], expected)


def test_what_can_wrap_is_refused_and_what_cannot_is_not(tmp_path):
    # 64 * 127 * 1032 = 8388096 <= 2**23 - 1 < 64 * 127 * 1033: one more input, and Lava's u wraps
    neuron = CUBA | {"iDecay": 4096, "vDecay": 4096, "vThMant": 80}
    for ins, fits in ((1032, True), (1033, False)):
        weight, spikes = np.full((1, ins), 127), np.ones((1, ins), int)
        path = write_dense(tmp_path / f"{ins}.net", weight, neuron)
        expected = lava_neuron(spikes, weight, neuron, np.zeros(1, int))
        assert expected[0, 0] == fits  # wrapped it is negative
        if fits:
            trace = run(netx.read(path), spikes[None], engine="reference")
            assert trace.values["output"][0, 0, 0] == 1
        else:
            with pytest.raises(GraphError, match=r"layer 0: .*24 bits .*up to 8396224"):
                netx.read(path)


def test_nodes_names_and_meta():
    graph = netx.read(FIXTURES / "layout.net", dt=5e-4)
    kinds = {name: type(node) for name, node in graph.nodes.items()}
    assert kinds == {
        "input": Input,
        "layer2.synapses": Affine, "layer2.current": DiagonalSSM, "layer2.neuron": LIF,
        "layer3.synapses": Affine, "layer3.current": DiagonalSSM, "layer3.neuron": LIF,
        "layer4.synapses": Affine, "layer4.readout": Accumulate,
        "output": Output,
    }  # fmt: skip
    assert graph.is_integer and graph.dt == 5e-4
    assert dict(graph.meta) == {"source": "netx", "netx_layers": "0 to 4", "netx_tSample": 40}
    assert graph.nodes["layer4.readout"].steps == 40


def test_a_part_of_the_layers_can_be_read():
    whole = netx.read(FIXTURES / "layout.net")
    part = netx.read(FIXTURES / "layout.net", skip_layers=3, num_layers=4)
    assert list(part.nodes) == [
        "input", "layer3.synapses", "layer3.current", "layer3.neuron", "output"
    ]  # fmt: skip
    assert part.nodes["layer3.synapses"] == whole.nodes["layer3.synapses"]


def test_it_can_be_stored(tmp_path):
    graph = netx.read(FIXTURES / "slayer.net")
    save(tmp_path / "a.nssm", graph)
    again = load(tmp_path / "a.nssm")
    assert dict(again.nodes) == dict(graph.nodes) and again.edges == graph.edges
