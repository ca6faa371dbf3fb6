"""Figures as files: stand-alone SVG, CSV, a folder that is ours, and links in the page."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import re
from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from report_examples import examples

from neurossm.errors import InputError
from neurossm.report import figures_of, html_of, write_figures
from neurossm.report.figures import csv_text
from neurossm.report.standalone import standalone

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def reports():
    return examples()


def read(folder, name: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO((folder / name).read_text(encoding="utf-8"))))


def test_every_figure_stands_alone_light_and_with_text_as_text(reports):
    for report in reports.values():
        for figure in figures_of(report).values():
            for title in ("", "A <title>"):
                text = standalone(figure.svg, title)
                root = ElementTree.fromstring(text)
                assert root.tag == f"{SVG}svg"
                assert 0 < float(root.get("width").removesuffix("in")) <= 7
                _, top, wide, high = map(float, root.get("viewBox").split())
                assert wide > 0 and high > 0
                # what programs that make PDF of SVG do not know
                assert not re.search(r"var\(|@media|--[a-z]|system-ui", text), figure.name
                assert not re.search(r'(?:x|x1|x2|cx|width)="[\d.]+%"', text), figure.name
                words = [item.text for item in root.iter(f"{SVG}text")]
                assert words and ("A <title>" in words) == bool(title)
                if title:
                    assert top < 0 or high > 30


def test_a_long_title_fits():
    drawn = '<svg width="100%" height="50"><text x="1%" y="9">x</text></svg>'
    sizes = {}
    for title in ("short", "t" * 70):
        found = re.search(r"font:600 ([\d.]+)px[^>]*>" + title, standalone(drawn, title))
        sizes[title[0]] = float(found[1])
    # 412 units across; 0.56 of the size for each of 70 characters
    assert sizes["s"] == 14 and 70 * 0.56 * sizes["t"] < 412 and sizes["t"] > 9


def test_a_chart_is_as_wide_as_a_column(reports):
    chart = standalone(figures_of(reports["classes"])["spike-rates"].svg)
    root = ElementTree.fromstring(chart)
    assert root.get("width") == "3.3in"
    assert "font:12.5px Helvetica" in chart and "fill:#c2410c" in chart
    # 0.5 % and 99.5 % of 400 units
    (axis,) = {(line.get("x1"), line.get("x2")) for line in root.iter(f"{SVG}line")
               if line.get("x1") != line.get("x2")}  # fmt: skip
    assert axis == ("2", "398")


def test_links_of_the_page_are_the_files(reports):
    report = reports["classes"]
    page, found = html_of(report), figures_of(report)
    links = re.findall(r'download="([^"]+)" href="data:([^;]+);charset=utf-8;base64,([^"]+)"', page)
    assert {name for name, *_ in links} == {
        f"{name}.{ending}" for name in found for ending in ("svg", "csv")
    }
    for name, kind, content in links:
        text = base64.b64decode(content).decode()
        figure = found[name.rpartition(".")[0]]
        svg = name.endswith(".svg")
        assert kind == ("image/svg+xml" if svg else "text/csv")
        assert text == (standalone(figure.svg, figure.title) if svg else csv_text(figure.rows))


def test_a_folder_has_every_figure_table_and_a_list(reports, tmp_path):
    report = reports["classes"]
    written = write_figures(tmp_path / "figures", report)
    folder = tmp_path / "figures"
    assert sorted(folder.iterdir()) == sorted(written)
    listing = (folder / "README.md").read_text(encoding="utf-8")
    for file in set(written) - {folder / "README.md"}:
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        assert re.search(rf"\| `{re.escape(file.name)}` \| [^|]+ \| `{digest}` \|", listing)
    for name in figures_of(report):
        for ending in (".svg", "-untitled.svg", ".csv"):
            assert folder / f"{name}{ending}" in written

    matrix = read(folder, "confusion-matrix.csv")
    assert matrix[0] == ["true class", *report.answers.class_names]
    assert [row[1:] for row in matrix[1:]] == [
        [str(n) for n in row] for row in report.answers.confusion.tolist()
    ]
    energy = {row[1]: row[2:] for row in read(folder, "energy.csv")[1:]}
    total = report.energy.total
    assert [float(end) for end in energy["Total"]] == [total.low, total.high]
    results = {row[0]: row[1:] for row in read(folder, "results.csv")[1:]}
    assert results["accuracy, integer"] == ["0.75", "0.75", "", "measured"]
    assert results["mismatches"][0] == "0"
    spikes = read(folder, "sample-spikes.csv")
    counted = sum(np.count_nonzero(report.sample.values[f"block{k}.spike"]) for k in (0, 1))
    assert len(spikes) == 1 + counted
    per_step = read(folder, "sample.csv")
    assert sum(int(n) for row in per_step[1:] for n in row[1:]) == counted


def test_many_classes_have_their_matrix_as_a_table(reports, tmp_path):
    folder = tmp_path / "figures"
    write_figures(folder, reports["many-classes"])
    assert len(read(folder, "confusion-matrix.csv")) == 49
    assert not (folder / "confusion-matrix.svg").exists()


def test_regression_has_the_residual_of_every_point(reports, tmp_path):
    folder = tmp_path / "figures"
    write_figures(folder, reports["regression"])
    points = reports["regression"].answers.points
    found = np.array(read(folder, "residuals.csv")[1:], dtype=float)
    assert found[:, 0].tolist() == [k % 3 for k in range(300)]
    assert found[:, 2] == pytest.approx(points[:, 1] - points[:, 0])
    assert [row[0] for row in read(folder, "residuals-by-channel.csv")] == ["name", "x", "y", "z"]


def test_the_next_export_replaces_its_own_files_and_removes_what_is_no_more(reports, tmp_path):
    folder = tmp_path / "figures"
    write_figures(folder, reports["classes"])
    (folder / "notes.txt").write_text("mine")
    write_figures(folder, reports["graph-alone"])
    assert sorted(file.name for file in folder.iterdir()) == [
        "README.md", "network-untitled.svg", "network.csv", "network.svg", "nodes.csv",
        "notes.txt", "provenance.csv", "results.csv",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["network.svg", "README.md", "nodes.csv"])
def test_no_file_of_others_is_replaced(reports, tmp_path, name):
    folder = tmp_path / "figures"
    folder.mkdir()
    (folder / name).write_text("mine")
    with pytest.raises(InputError, match=rf"--figures .*{name}: expected a new file"):
        write_figures(folder, reports["graph-alone"])
    assert [(file.name, file.read_text()) for file in folder.iterdir()] == [(name, "mine")]


def test_a_figure_that_was_changed_since_is_kept(reports, tmp_path):
    folder, report = tmp_path / "figures", reports["graph-alone"]
    write_figures(folder, report)
    (folder / "network.svg").write_text("edited")
    before = {file: file.read_bytes() for file in folder.iterdir()}
    with pytest.raises(InputError, match="got another file"):
        write_figures(folder, replace(report, title="Another"))
    assert {file: file.read_bytes() for file in folder.iterdir()} == before


def test_a_folder_that_cannot_be_made_is_an_error(reports, tmp_path):
    with pytest.raises(InputError, match=r"--figures .*: expected a folder that can be written"):
        write_figures(tmp_path / "none" / "figures", reports["graph-alone"])


def test_names_with_commas_and_quotes_are_whole_in_csv():
    assert csv_text([("a", "b"), ('x, "y"', None)]) == 'a,b\n"x, ""y""",\n'
