"""Notebooks are stored as they ran: every cell, in order, with pictures, and nothing of a machine.

That they run is tested by executing them (`make test`); this reads what is stored.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def cells_of(path: Path, kind: str) -> list[dict]:
    return [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == kind]


def printed(cell: dict, stream: str) -> str:
    texts = [part["text"] for part in cell["outputs"] if part.get("name") == stream]
    return "".join("".join(text) for text in texts)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_ran_in_order(path):
    counts = [cell["execution_count"] for cell in cells_of(path, "code")]
    assert counts == list(range(1, len(counts) + 1))
    kinds = {key for cell in cells_of(path, "code") for part in cell["outputs"]
             for key in part.get("data", {})}  # fmt: skip
    assert {"image/png", "image/svg+xml"} & kinds, "no picture is stored"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_nothing_went_wrong_and_nothing_is_of_a_machine(path):
    for cell in cells_of(path, "code"):
        assert [part for part in cell["outputs"] if part["output_type"] == "error"] == []
        lines = printed(cell, "stderr").splitlines()
        # the only thing that is said beside the results is how training goes on
        assert [line for line in lines if not line.startswith(("epoch ", "data: "))] == []
        paths = re.findall(r"(?:/tmp|/home|/root|/Users|/work)/\S*", printed(cell, "stdout"))
        assert paths == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_links_between_notebooks_lead_somewhere(path):
    text = "".join("".join(cell["source"]) for cell in cells_of(path, "markdown"))
    targets = re.findall(r"\]\(([^)#]+)\)", text)
    assert [one for one in targets if not (path.parent / one).exists()] == []
    named = re.findall(r"`((?:docs|examples)/[\w./-]+)`", text)
    assert [one for one in named if not (ROOT / one).exists()] == []


def test_there_are_four():
    assert [path.stem[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04"]
