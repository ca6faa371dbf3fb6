"""The page says what the code does."""

from pathlib import Path

from neurossm_models.data.own.fields import KNOWN
from neurossm_models.data.own.spec import SUFFIXES
from neurossm_models.data.own.split import BY

ROOT = Path(__file__).parents[4]


def test_the_page_names_every_ending_and_key():
    page = (ROOT / "docs/how-to/data.md").read_text()
    assert [name for name in (*SUFFIXES, *KNOWN) if f"`{name}`" not in page] == []
    table = page.partition("| `by=` |")[2].partition("## ")[0]
    assert [name for name in BY if f"| `{name}` |" not in table] == []
