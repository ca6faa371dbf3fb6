"""The pages about networks of your own name all that is supported."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ("own-networks.md", "events.md")  # the second one: layers over space
PAGE = "".join((ROOT / "docs" / "how-to" / name).read_text() for name in PAGES)


def test_the_page_names_every_operation_and_layer():
    from neurossm_converters.formats.torch.traced import export
    from neurossm_converters.formats.torch.traced.tables import MODULES, REFUSING

    assert export.TABLES
    missing = [kind.__name__ for kind, handler in MODULES.items()
               if handler not in REFUSING and f"`{kind.__name__}`" not in PAGE]  # fmt: skip
    assert missing == []
