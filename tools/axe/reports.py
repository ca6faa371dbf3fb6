"""Writes the reports that `make axe` looks at: ``python tools/axe/reports.py FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "support"))

from report_examples import examples

from neurossm.report import write_html


def main() -> None:
    """Write a page for each kind of report."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, report in examples().items():
        write_html(folder / f"{name}.html", report)


if __name__ == "__main__":
    main()
