"""The examples of networks of one's own run, and the page about them shows what is there."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "how-to" / "own-networks.md").read_text()


def ran(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    runpy.run_path(str(ROOT / "examples" / name), run_name="__main__")
    return capsys.readouterr().out


def test_a_network_of_ones_own_exports_and_its_integers_are_near(capsys):
    shown = ran("own_network.py", capsys)
    errors = [float(e) for e in re.findall(r"at most ([\d.]+)", shown)]
    assert "outputs classes, value" in shown
    assert len(errors) == 2 and max(errors) < 0.2


def test_a_graph_built_by_hand_runs(capsys):
    counts = [int(c) for c in re.findall(r"\d+", ran("by_hand.py", capsys))]
    assert len(counts) == 8 and 0 < sum(counts) < 8 * 50


def test_the_programs_of_the_page_run(tmp_path, monkeypatch):
    """All of them in order, in one namespace, as a reader would type them."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) >= 5
    space: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, "own-networks.md", "exec"), space)
    assert np.asarray(space["answer"]).shape == (8, 3)


def test_the_page_names_every_operation_and_layer():
    from neurossm_converters.formats.torch.traced import export
    from neurossm_converters.formats.torch.traced.tables import MODULES, REFUSING

    assert export.TABLES
    missing = [kind.__name__ for kind, handler in MODULES.items()
               if handler not in REFUSING and f"`{kind.__name__}`" not in PAGE]  # fmt: skip
    assert missing == []


def test_the_program_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    """On fewer images than there, as a reader would type it."""
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "README.md").read_text()
    (program,) = re.findall(r"```python\n(import neurossm\n.*?)```", page, re.DOTALL)
    fewer = program.replace("mnist:train:512", "mnist:train:8").replace(":test:100", ":test:8")
    exec(compile(fewer, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("1.0 1.0 Interval(")
    assert "modelled" in Path("report.html").read_text()
