"""``profile --html``: the report of a real file, with the float graph beside it."""

from __future__ import annotations

from neurossm.engine import run
from neurossm.store import load
from neurossm_models.data import load as load_data

DATA = "digits:test:24"


def test_the_report_compares_with_the_float_graph(neurossm, files, tmp_path):
    page = tmp_path / "r.html"
    ended = neurossm("profile", files.integer, "--float", files.floating, "--data", DATA,
                     "--html", page, "--json")  # fmt: skip
    assert ended.status == 0, ended.err
    data = load_data(DATA)
    answers = []
    for file, engine in ((files.floating, "float"), (files.integer, "reference")):
        graph = load(file)
        values = run(graph, data.inputs, engine, "outputs").values[graph.outputs[0]]
        answers.append(values[:, -1].argmax(axis=1))
    document = ended.document
    assert document["accuracy_float"] == (answers[0] == data.labels).mean()
    assert document["agreement"] == (answers[0] == answers[1]).mean()

    text = page.read_text(encoding="utf-8")
    for heading in ("Network", "Activity", "Operations", "Energy", "Placement", "Provenance"):
        assert f"<h2>{heading}</h2>" in text
    assert "Accuracy, float" in text and 'class="ns-chips"' in text


def test_an_integer_graph_is_no_float_graph(neurossm, files):
    ended = neurossm("profile", files.integer, "--float", files.integer, "--data", DATA)
    assert ended.status == 2 and "expected a float graph, got an integer one" in ended.err
