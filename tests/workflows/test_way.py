"""The whole way in Python, by the verbs of ``import neurossm``."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

import neurossm
from neurossm.errors import InputError
from neurossm.store import graph_digest, load_golden
from neurossm_workflows.beside import Points
from neurossm_workflows.listener import Listener

CALIBRATE, TEST = "digits:train:16", "digits:test:8"


@pytest.fixture(scope="module")
def floating():
    return neurossm.export("binary-s4d-digits")


@pytest.fixture(scope="module")
def made(floating):
    return neurossm.quantize(floating, CALIBRATE)


def test_what_quantize_returns_is_what_its_file_holds(made, tmp_path):
    made.save(tmp_path / "q.nssm")
    back = neurossm.load(tmp_path / "q.nssm")
    assert back == made.graph and graph_digest(back) == made.as_json()["sha256"]
    assert len(load_golden(tmp_path / "q.nssm", back)) == len(made.golden) == 3
    assert made.samples == 16 and made.check.samples == 16 and made.clipped == 0
    with pytest.raises(FrozenInstanceError):
        made.samples = 17


def test_ranges_from_parts_of_data_are_those_of_one_run(floating, made, monkeypatch):
    """By hand: the float engine on all samples at once, its peaks read."""
    from neurossm.quantization import calibrate
    from neurossm_models.data import load
    from neurossm_workflows import parts

    inputs = load(CALIBRATE).inputs
    whole = calibrate(floating, neurossm.run(floating, inputs, "float", "outputs"))
    monkeypatch.setattr(parts, "samples_of_a_part", lambda graph, steps: 3)
    for data in (CALIBRATE, load(CALIBRATE), inputs):
        found = neurossm.calibrate(floating, data)
        assert found.messages == whole.messages and found.samples == 16
    assert neurossm.Quantize()(floating, whole).nodes == made.graph.nodes


def test_a_trace_is_no_data(floating):
    trace = neurossm.run(floating, np.zeros((1, 64, 1), int), "float", "outputs")
    with pytest.raises(InputError, match="data: expected a text such as mnist:train:512, a data"):
        neurossm.calibrate(floating, trace)


def test_integers_are_not_quantized_again(made):
    for step in (neurossm.quantize, neurossm.calibrate):
        with pytest.raises(InputError, match="quantize: expected a float graph, got one that is"):
            step(made.graph, CALIBRATE)


@pytest.mark.parametrize("engine", ["fast", "reference"])
def test_golden_vectors_are_replayed_with_and_without_a_file(made, engine, tmp_path):
    made.save(tmp_path / "q.nssm")
    for graph in (made, tmp_path / "q.nssm", str(tmp_path / "q.nssm")):
        found = neurossm.verify(graph, engine)
        assert found.passed and found.vectors == 3 and found.nodes == len(made.graph.nodes)
        assert found.compared > 3 * 64


def test_a_spoiled_golden_vector_does_not_pass(made):
    from dataclasses import replace

    first = made.golden[0]
    node = made.graph.outputs[0]
    values = {**first.values, node: first.values[node] + 1}
    spoiled = replace(made, golden=(replace(first, values=values), *made.golden[1:]))
    found = neurossm.verify(spoiled)
    assert not found.passed and found.mismatches == first.values[node].size
    assert found.first.startswith(f"vector 0, {node!r}, step 0")


def test_the_accuracy_of_a_run_is_that_of_its_answers(made):
    done = neurossm.evaluate(made.graph, TEST)
    from neurossm_models.data import load

    data = load(TEST)
    sent = neurossm.run(made.graph, data.inputs).values["output"][:, -1]
    assert done.accuracy == np.mean(sent.argmax(1) == data.labels)
    assert done.labeled == 8 and done.trace.samples == 8


def test_a_profile_compares_with_the_float_graph(floating, made, tmp_path):
    found = neurossm.profile(made.graph, TEST, floating=floating, baseline_samples=0)
    assert found.accuracy == neurossm.evaluate(made.graph, TEST).accuracy
    assert found.accuracy_float == neurossm.evaluate(floating, TEST).accuracy
    assert found.as_json()["accuracy_float"] == found.accuracy_float
    assert found.energy is not None and 0 < found.energy.total.low < found.energy.total.high
    found.to_html(tmp_path / "r.html", "The title")
    page = (tmp_path / "r.html").read_text()
    assert "The title" in page and graph_digest(made.graph)[:16] in page
    report = neurossm.make_report(found)
    assert report.accuracy.integer == found.accuracy
    assert report.title == "binary-s4d-digits on digits:test:8"
    files = found.figures(tmp_path / "figures", "The title")
    assert (tmp_path / "figures" / "README.md") in files and len(files) > 30
    matrix = (tmp_path / "figures" / "confusion-matrix.csv").read_text().splitlines()[1:]
    right = sum(int(row.split(",")[1 + k]) for k, row in enumerate(matrix))
    assert right == 8 * found.accuracy


class Numbers:
    """Labels of two numbers a sample, of which the second one of the second sample is not known."""

    labels = np.array([[1.0, 2.0], [3.0, np.nan], [5.0, 6.0]])
    lengths = None


def test_points_know_the_channel_that_they_are_of(made):
    points = Points(made.graph)
    points(0, Numbers(), np.array([[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]]))
    assert points.points.tolist() == [[1, 10], [2, 20], [3, 30], [5, 50], [6, 60]]
    assert points.channels.tolist() == [0, 1, 0, 0, 1]
    assert Points(made.graph).channels is None


def test_a_plan_of_a_recipe_has_no_data(made):
    assert neurossm.place(like="binary-s4d-smnist").placement.chips == 1
    for options, said in (({}, "got neither"), ({"like": "x", "graph": made.graph}, "got both")):
        with pytest.raises(InputError, match=said):
            neurossm.place(**options)
    with pytest.raises(InputError, match=r"^data: expected a file with weights"):
        neurossm.place(like="binary-s4d-smnist", data=TEST)


def test_two_graphs_differ_where_one_is_spoiled(made):
    assert neurossm.diff(made.graph, made.graph, TEST).over == ()
    name = next(name for name in made.graph.order if name.endswith(".spike"))
    node = made.graph.nodes[name]
    from dataclasses import replace

    theta = replace(node.theta, values=node.theta.values + 10_000)
    spoiled = made.graph.with_nodes({name: replace(node, theta=theta)})
    found = neurossm.diff(made.graph, spoiled, TEST)
    assert found.over[0] == name and found.as_json()["exact"] is not False


def test_a_sweep_says_its_points_and_finds_them_again(floating, tmp_path):
    told = []
    listener = Listener(note=told.append, tell=told.append)
    given = (floating, "digits:valid:4", CALIBRATE, {"poles": [8, 16]})
    found = neurossm.sweep(*given, output=tmp_path / "s.csv", listener=listener)
    assert [row.poles for row in found.rows] == [8, 16]
    assert all(0 <= row.accuracy <= 1 for row in found.rows)
    assert told[0] == "2 of 2 points to measure, 4 samples each" and told[1].startswith("1/2 ")
    again = neurossm.sweep(*given, output=tmp_path / "s.csv", listener=Listener(tell=told.append))
    assert again.rows == found.rows and told[-1] == "0 of 2 points to measure, 4 samples each"


def test_progress_goes_to_a_callback(floating):
    done: dict[str, list[int]] = {}

    @contextmanager
    def bar(label, total):
        done[label] = [total]
        yield done[label].append

    neurossm.quantize(floating, CALIBRATE, listener=Listener(progress=bar))
    assert set(done) == {"calibrating", "counting saturations", "checking"}
    assert all(sum(steps) == total for total, *steps in done.values())


def test_by_default_nothing_is_printed(floating, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        neurossm.quantize(floating, CALIBRATE)
    said = capsys.readouterr()
    assert said.out == said.err == ""


@pytest.mark.parametrize("step", ["evaluate", "profile", "diff", "place", "quantize", "calibrate"])
def test_other_data_need_insisting(floating, made, step):
    from dataclasses import replace

    from neurossm_models.data import load

    turned, heard = replace(load(TEST), order="bit-reversed"), []
    graphs = (floating, made.graph) if step == "diff" else (made.graph,)
    graphs = (floating,) if step in ("quantize", "calibrate") else graphs
    given = {"data": turned} | ({"baseline_samples": 0} if step == "profile" else {})
    function = getattr(neurossm, step)
    with pytest.raises(InputError, match=r"recorded order, got bit-reversed order; .* insist"):
        function(*graphs, **given)
    function(*graphs, **given, other_data=True, listener=Listener(heard.append))
    assert heard and "you insist" in heard[0]


def test_verbs_say_what_they_were_given(tmp_path):
    with pytest.raises(InputError, match="graph: expected the path of a file, got 5"):
        neurossm.verify(5)
    with pytest.raises(InputError, match=r"found: expected what neurossm.profile .* 'm\.nssm'"):
        neurossm.make_report("m.nssm")
    for widths, said in (
        ({"pole": [8]}, "expected poles, weights, state, activations, got 'pole'; did you mean"),
        ({"poles": 8}, r"sweep poles: expected a list of bits, such as \[8, 12\], got 8"),
    ):
        with pytest.raises(InputError, match=said):
            neurossm.sweep("m.nssm", "digits:test:8", "digits:train:8", widths)


def test_results_print_in_a_few_lines_in_a_notebook(floating, made):
    """Words and numbers by hand: 16 samples to calibrate, 8 to test, 3 golden vectors."""
    nodes = len(made.graph.nodes)
    clipped = sum(count.saturations for count in made.counts.values())
    assert repr(made) == (
        f"Quantized: {nodes} nodes, 16 calibration samples, 3 golden vectors, {clipped}"
        f" saturations, check {'passed' if made.check.passed else 'failed'}"
    )
    found = neurossm.profile(made.graph, TEST, floating=floating, baseline_samples=0)
    lines = repr(found).splitlines()
    assert 5 <= len(lines) <= 10 and max(map(len, lines)) <= 80
    assert lines[:3] == ["Profile", f"  graph: {nodes} nodes", f"  data: {TEST}, 8 samples"]
    assert f"accuracy: {found.accuracy:.4g}, float {found.accuracy_float:.4g}" in lines[3]
    run = repr(found.execution)
    assert run.startswith("Execution: 8 samples on fast in ") and "\n" not in run
    assert f"accuracy {found.accuracy:.4g}" in run


def test_a_difference_prints_its_verdict_and_three_nodes_at_most():
    from neurossm.comparison import Comparison
    from neurossm_workflows.diff import Difference

    class Four(Difference):
        over = ("a", "b", "c", "d")

    compared = Comparison((), None)
    assert repr(Difference(compared, {}, {})) == "Difference: 0 of 0 values differ, tolerance 0"
    assert repr(Four(compared, {}, {})).endswith("over the tolerance: a, b, c and 1 more")
