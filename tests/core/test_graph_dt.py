"""No time step is invented: a graph knows it from data or user, or reports speak of steps."""

import pytest
from spiking_block import TINY_INPUT, model_graph, tiny_graph

from neurossm import store
from neurossm.energy import estimate
from neurossm.engine import run
from neurossm.errors import GraphError
from neurossm.graph import Graph
from neurossm.hardware import load_hardware
from neurossm.metrics import measure
from neurossm.report.raster import raster_svg
from neurossm_workflows.profile import real_time


def test_a_graph_that_nobody_told_has_none_and_its_file_too(tmp_path):
    timeless = model_graph(blocks=1, channels=4, modes=2)
    nodes, edges = timeless.nodes, timeless.edges
    graph = Graph(nodes, edges)
    assert graph.dt is None and graph.with_nodes({}).dt is None
    store.save(tmp_path / "none.nssm", graph)
    assert store.load(tmp_path / "none.nssm").dt is None
    store.save(tmp_path / "some.nssm", Graph(nodes, edges, dt=1 / 16000))
    assert store.load(tmp_path / "some.nssm").dt == 1 / 16000
    with pytest.raises(GraphError, match=r"graph\.dt: expected a positive time in seconds, got 0"):
        Graph(nodes, edges, dt=0)


def test_reports_speak_of_steps_then():
    told = tiny_graph()
    graph = Graph(told.nodes, told.edges)
    trace = run(graph, TINY_INPUT, "reference")
    assert ">time steps<" in raster_svg(graph, trace)
    assert ">time steps of 1.00 ms<" in raster_svg(told, trace)
    energy = estimate(measure(graph, trace), graph, load_hardware("loihi2"))
    assert real_time(energy, graph, None) is None
    assert real_time(energy, told, None).steps_per_second == 1000
    assert real_time(energy, graph, 50.0).steps_per_second == 50
