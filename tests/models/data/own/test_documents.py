"""The page and the example say what the code does."""

import runpy
from pathlib import Path

from neurossm_models.data.own.fields import KNOWN
from neurossm_models.data.own.spec import SUFFIXES
from neurossm_models.data.own.split import BY

ROOT = Path(__file__).parents[4]


def test_the_example_runs(capsys):
    runpy.run_path(str(ROOT / "examples/own_data.py"), run_name="__main__")
    said = capsys.readouterr().out
    assert "classification: circle, shake, wave; 2 channels" in said
    assert "train: " in said and "from arrays: (34, 30, 1)" in said


def test_the_page_names_every_ending_and_key():
    page = (ROOT / "docs/how-to/data.md").read_text()
    assert [name for name in (*SUFFIXES, *KNOWN) if f"`{name}`" not in page] == []
    assert [name for name in BY if f"`by={name}`" not in page] == []
