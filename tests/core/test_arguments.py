"""Arguments of the public functions: nonsense is refused by the argument's name."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from spiking_block import tiny_graph

import neurossm
from neurossm import Graph, Quantize, Stepper, Trace, fold_batch_norm, load, run, save
from neurossm.energy import at_spike_rate, estimate
from neurossm.errors import GraphError, InputError, RangeError
from neurossm.fixed import Fixed
from neurossm.hardware import Hardware, load_hardware
from neurossm.metrics import Metrics, measure
from neurossm.metrics.check import check
from neurossm.nodes import Affine, Delay, Input, Output, Threshold
from neurossm.placement import check as check_chip
from neurossm.placement import place, place_each
from neurossm.quantization import Percentiles, Ranges, bounds, calibrate

NAN = float("nan")


@dataclass(frozen=True)
class Here:
    """A small network on its way."""

    floating: Graph
    inputs: np.ndarray
    trace: Trace
    ranges: Ranges
    integer: Graph
    metrics: Metrics
    chip: Hardware


@pytest.fixture(scope="module")
def here() -> Here:
    floating = Graph(
        {"i": Input(channels=2, out=Fixed(8, 4)), "a": Affine(weight=np.eye(2), bias=np.zeros(2)),
         "t": Threshold(theta=np.full(2, 0.5)), "o": Output(channels=2)},
        (("i", "a"), ("a", "t"), ("t", "o")),
    )  # fmt: skip
    inputs = np.arange(24).reshape(2, 6, 2)
    trace = run(floating, inputs, "float")
    ranges = calibrate(floating, trace)
    integer = Quantize()(floating, ranges)
    metrics = measure(integer, run(integer, inputs))
    return Here(floating, inputs, trace, ranges, integer, metrics, load_hardware("loihi2"))


READ = "neurossm.load reads one from a file"
REFUSED = [
    (lambda h: run(None, h.inputs), f"graph: expected Graph, got None; {READ}"),
    (lambda h: run("m.nssm", h.inputs), "graph: expected Graph, got 'm.nssm'"),
    (lambda h: run(h.integer, h.inputs, "Fast"), r"engine: expected fast \| .* mean 'fast'"),
    (lambda h: run(h.integer, h.inputs, None), "engine: .* got None"),
    (lambda h: run(h.integer, None), "input 'i': expected integers"),
    (lambda h: run(h.integer, [[[1, 2]], [[1]]]), "input 'i': expected an array, got rows"),
    (lambda h: run(h.integer, h.inputs + 0j), "input 'i': .* got complex128"),
    (lambda h: run(h.integer, h.inputs, progress=3), "progress: expected a function"),
    (lambda h: run(h.integer, h.inputs, record=None), "record: expected all .* got None"),
    (lambda h: run(h.integer, h.inputs, record=3), "record: .* got 3"),
    (lambda h: run(h.integer, h.inputs, record="x"), "record: expected names of nodes, got 'x'"),
    *((lambda h, v=v: run(h.integer, h.inputs, f"fast:threads={v}"), "threads: expected a whole")
      for v in (-1, 1.5, "x", True)),
    *((lambda h, v=v: Stepper(h.integer, v), "samples: expected a whole number of at least 1")
      for v in (0, -1, 1.5, "x", None, True)),
    (lambda h: Stepper(None), "graph: expected Graph"),
    (lambda h: Delay(channels=2, steps="a"), "Delay.steps: expected whole numbers .*, got 'a'"),
    *((lambda h, k=k, v=v: Quantize(**{k: v}), f"quantize {k}: expected")
      for k in ("pole_bits", "weight_bits", "state_bits", "activation_bits", "headroom")
      for v in (-1, 8.0, "8", None, True, 99, NAN)),
    (lambda h: Quantize(range_rule="x"), "quantize range_rule: expected"),
    *((lambda h, v=v: Quantize(range_rules=v), "quantize range_rules: expected pairs")
      for v in (None, "ab", (("*",),))),
    (lambda h: Quantize()(h.integer, h.ranges), "quantize: expected a float graph"),
    (lambda h: Quantize()(h.floating, h.trace), r"ranges: .* calibrate\(graph, trace\) makes them"),
    (lambda h: calibrate(h.floating, None), "trace: expected Trace, got None"),
    (lambda h: calibrate(None, h.trace), "graph: expected Graph"),
    (lambda h: measure(h.integer, None), "trace: expected Trace"),
    (lambda h: measure(h.integer, h.trace), "expected counts of every node"),
    *((lambda h, v=v: check(h.floating, h.integer, h.inputs, tolerance=v), "tolerance: expected 0")
      for v in (-1, NAN, "x", None)),
    (lambda h: check(h.floating, h.integer, None), "inputs: expected samples x steps x channels"),
    (lambda h: check(None, h.integer, h.inputs), "floating: expected Graph"),
    (lambda h: estimate(h.metrics, h.integer, None), "hardware: .* load_hardware reads one"),
    (lambda h: estimate(h.metrics, tiny_graph(), h.chip), "metrics: expected those of a run of"),
    *((lambda h, v=v: at_spike_rate(h.metrics, h.integer, v), "spike rate factor: expected 0")
      for v in (-1, NAN, float("inf"), "x")),
    *((lambda h, f=f, v=v: f(h.integer, h.chip, chips=v), "chips: expected a whole number")
      for f in (place, place_each, check_chip) for v in (0, -1, 1.5, "x", NAN)),
    (lambda h: place(h.integer, h.chip, ssm_mapping="x"), "'x'"),
    (lambda h: place(None, h.chip), "graph: expected Graph"),
    (lambda h: place(h.integer, "loihi2"), "hardware: expected Hardware, got 'loihi2'"),
    (lambda h: check_chip(h.integer, "loihi2"), "hardware: expected Hardware"),
    *((lambda h, v=v: load_hardware(v), "hardware: expected the path") for v in (None, 3)),
    *((lambda h, v=v: Percentiles(h.floating, h.floating.order, v, 10), "percentile: expected 99")
      for v in (98, 101, "x", None, NAN)),
    *((lambda h, v=v: Percentiles(h.floating, h.floating.order, 99.9, v), "moments: expected")
      for v in (0, -1, "x")),
    (lambda h: Percentiles(h.floating, ("x",), 99.9, 10), "names: expected names of nodes"),
    (lambda h: bounds(None), "graph: expected Graph"),
    (lambda h: fold_batch_norm(None), "graph: expected Graph"),
    (lambda h: save("x.nssm", None), "graph: expected Graph"),
    (lambda h: save(None, h.integer), "path: expected the path of a file, got None"),
    (lambda h: save("x.nssm", h.integer, ("x",)), "golden vector 0: expected Golden"),
    *((lambda h, v=v: load(v), "path: expected the path of a file") for v in (None, 3)),
    *((lambda h, v=v: Input(channels=v, out=Fixed.binary()),
       "Input.channels: expected a whole number") for v in ("3", 3.5)),
    (lambda h: Input(channels=0, out=Fixed.binary()), "Input.channels: expected at least 1"),
    (lambda h: Input(channels=1, out=8), "Input.out: expected Fixed, got 8"),
    *((lambda h, v=v: Fixed(*v), "message format: expected") for v in
      ((0, 0), (-1, 0), ("a", 0), (8, "b"), (8.5, 0), (33, 0), (8, None))),
]  # fmt: skip


@pytest.mark.parametrize(("call", "said"), REFUSED, ids=range(len(REFUSED)))
def test_nonsense_is_refused_by_name(call, said, here, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((InputError, GraphError, RangeError), match=said):
        call(here)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("threads", [0, 1, 2, 16])
def test_any_number_of_threads(threads, here):
    # no more than there is work for are started
    found = neurossm.run(here.integer, here.inputs, f"fast:threads={threads}")
    np.testing.assert_array_equal(found.values["o"], run(here.integer, here.inputs).values["o"])


@pytest.mark.parametrize("kind", [bool, np.float32, np.float64, np.int8, np.uint64, list])
def test_spikes_and_whole_numbers_in_any_type(kind, here):
    spikes = here.inputs % 2
    given = spikes.tolist() if kind is list else spikes.astype(kind)
    for engine in ("reference", "fast", "float"):
        expected = run(here.integer, spikes, engine).values["t"]
        np.testing.assert_array_equal(run(here.integer, given, engine).values["t"], expected)


def test_one_name_to_record_is_one_name(here):
    assert set(run(here.integer, here.inputs, record="t").values) == {"t"}
    assert set(run(here.integer, here.inputs, record=["t", "i"]).values) == {"t", "i"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"nodes": None}, "graph.nodes: expected a mapping from names, got NoneType"),
        ({"nodes": {1: Input(channels=1, out=Fixed(8))}}, "graph.nodes: expected nodes by their"),
        ({"nodes": {"a": "Input"}}, "graph.nodes: expected nodes by their names, got 'a': 'Input'"),
        ({"edges": (("in", "out", "x"),)}, r"graph.edges: expected pairs .* got tuple"),
        ({"edges": 3}, r"graph.edges: expected pairs \(source, target\), got 3"),
        ({"dt": "x"}, "graph.dt: expected a positive time in seconds, got 'x'"),
        ({"dt": True}, "graph.dt: expected a positive time in seconds, got True"),
        ({"meta": 3}, "graph.meta: expected a mapping from names, got int"),
    ],
)
def test_a_graph_of_something_else(given, said):
    good = {"nodes": {"in": Input(channels=1, out=Fixed(8)), "out": Output(channels=1)},
            "edges": (("in", "out"),)}  # fmt: skip
    assert Graph(**good, dt=np.float32(0.001)).dt == np.float32(0.001)
    with pytest.raises(GraphError, match=said):
        Graph(**{**good, **given})
