"""The report in headless Chromium: nothing loaded, nothing on the console, nothing overlapping."""

from __future__ import annotations

import html
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from spiking_block import model_graph, model_input

from neurossm.energy import FACTORS, LABEL, RateRow, at_spike_rate, estimate
from neurossm.engine import run
from neurossm.hardware import load_hardware
from neurossm.metrics import measure
from neurossm.report import Accuracy, Answers, Report, TimingRow, Timings, html_of

WIDTHS = (390, 1000, 1280)  # a phone, half a screen, a desk
HEADINGS = ["Predictions", "Energy", "Activity", "Network", "Operations", "Placement",
            "Measured on this machine", "Measured and modeled", "Provenance",
            "Glossary"]  # fmt: skip
CONSOLE = re.compile(r"CONSOLE[:(]\d+\)?\] (.*)")
# Chromium's own requests (updates, the time) carry other annotations; this one: what a page loads
REQUEST = re.compile(r'"traffic_annotation":101845102,"url":"([^"]*)"')

# looks at each frame: headings, drawings, its true width, and texts of a drawing that overlap
LOOK = """
const overlap = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
  && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3;
addEventListener('load', () => {
  document.body.dataset.found = JSON.stringify([...document.querySelectorAll('iframe')].map(f => {
    const page = f.contentDocument, overlapping = [];
    for (const svg of page.querySelectorAll('figure svg')) {
      const texts = [...svg.querySelectorAll('text')];
      const boxes = texts.map(t => t.getBoundingClientRect());
      texts.forEach((t, i) => texts.slice(0, i).forEach((u, j) => {
        if (overlap(boxes[i], boxes[j])) overlapping.push(u.textContent + ' | ' + t.textContent);
      }));
    }
    return {
      width: page.documentElement.scrollWidth, overlapping,
      headings: [...page.querySelectorAll('h2')].map(h => h.textContent),
      cut: [...page.querySelectorAll('.figures dd, .beside .scroll')]
        .filter(e => e.scrollWidth > e.clientWidth + 1).map(e => e.textContent.slice(0, 40)),
      sizes: [...page.querySelectorAll('figure svg')].map(s => s.getBoundingClientRect().height),
    };
  }));
});
"""

Look = Callable[[Path], tuple[str, list[str]]]


def page() -> str:
    graph = model_graph(blocks=2, channels=24, modes=8, classes=10)
    trace = run(graph, model_input(60), "fast")
    metrics, chip = measure(graph, trace), load_hardware("loihi2")
    rates = []
    for factor in FACTORS:
        scaled, capped = at_spike_rate(metrics, graph, factor)
        rates.append(RateRow.of(factor, capped, scaled, estimate(scaled, graph, chip)))
    timing = TimingRow(form="float32, PyTorch, step by step", batch=128, threads=2,
                       seconds_a_sample=0.0123, median_seconds_a_sample=0.0234,
                       seconds_a_step=1.5e-4)  # fmt: skip
    timings = Timings(machine="a CPU with a long name, 2 cores", float_network="float engine",
                      boundary="this process", energy="not available", rows=(timing,))  # fmt: skip
    return html_of(Report(
        title="A report", graph=graph, metrics=metrics, energy=estimate(metrics, graph, chip),
        accuracy=Accuracy(data="/a/long/path/of/a/set:test:64", samples=8, integer=0.75,
                          float_graph=1.0, agreement=0.75),
        answers=Answers(
            integer="accuracy 75.00% (balanced 75.0%, macro F1 0.750)", count=8,
            float_graph="accuracy 100.00%", data="a set",
            confusion=np.arange(144).reshape(12, 12) * 1000,  # wider than a phone
            class_names=tuple(f"class of a long name {k}" for k in range(12)),
            points=np.array([[-1234.5, 0.1], [2345.6, 1.5], [0.0, -1.0]]),
        ),
        sample=trace, file_name="m.int.nssm", file_hash="ab" * 32, versions={"neurossm": "0.1.0"},
        rates=tuple(rates), timings=timings,
    ))  # fmt: skip


@pytest.fixture
def look(chromium: str, tmp_path: Path) -> Look:
    """Return the document after loading; what the console said, and requests to the network."""

    def opened(file: Path) -> tuple[str, list[str]]:
        ended = subprocess.run(
            [chromium, "--headless", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
             "--disable-background-networking", "--disable-component-update",
             "--host-resolver-rules=MAP * 127.0.0.1:1", "--window-size=1400,900",
             f"--user-data-dir={tmp_path / 'profile'}", f"--log-net-log={tmp_path / 'net.json'}",
             "--dump-dom", file.as_uri()],
            capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        requests = REQUEST.findall((tmp_path / "net.json").read_text(encoding="utf-8"))
        return ended.stdout, CONSOLE.findall(ended.stderr) + requests

    return opened


def test_the_page_loads_by_itself(look, tmp_path):
    file = tmp_path / "report.html"
    file.write_text(page(), encoding="utf-8")
    document, said = look(file)
    assert said == []
    for heading in HEADINGS:
        assert f"<h2>{heading}</h2>" in document
    assert document.count("<svg") >= 5 and LABEL in document

    # the same eyes see what would be wrong
    spoiled = file.read_text(encoding="utf-8").replace(
        "</main>", '</main><img src="http://neurossm.invalid/x.png"/><script>nothing()</script>'
    )
    file.write_text(spoiled, encoding="utf-8")
    said = look(file)[1]
    assert "http://neurossm.invalid/x.png" in said
    assert any("nothing is not defined" in line for line in said)


def test_nothing_overlaps_on_a_phone_and_on_a_desk(look, tmp_path):
    found = seen(look, tmp_path, page())
    for width, frame in zip(WIDTHS, found, strict=True):
        assert frame["width"] <= width, "the page scrolls sideways"
        assert frame["overlapping"] == [], width
        # a table may be scrolled on a phone; elsewhere a number that is cut off is another number
        assert not frame["cut"] or width == min(WIDTHS), (width, frame["cut"])
        assert frame["headings"] == HEADINGS
        assert len(frame["sizes"]) >= 5 and min(frame["sizes"]) > 5

    wide = page().replace("</main>", '<pre style="width:2000px">x</pre></main>')
    label = re.sub(r'(<text class="value" x=")99.5%', r"\g<1>4%", wide, count=1)
    spoiled = seen(look, tmp_path, label)
    assert all(frame["width"] >= 2000 for frame in spoiled)
    assert all(frame["overlapping"] for frame in spoiled)


def seen(look: Look, folder: Path, report: str) -> list[dict]:
    """Return what `LOOK` finds in the report at each width."""
    frames = (
        f'<iframe style="width:{width}px;height:6000px;border:0" srcdoc="{html.escape(report)}">'
        "</iframe>"
        for width in WIDTHS
    )
    file = folder / "frames.html"
    file.write_text(f"<!DOCTYPE html><script>{LOOK}</script><body>{''.join(frames)}</body>")
    document, said = look(file)
    assert said == []
    return json.loads(html.unescape(re.search(r'data-found="([^"]*)"', document)[1]))
