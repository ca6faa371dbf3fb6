"""Figures and tables of a report as files for a paper: `write_figures`."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from neurossm.errors import InputError
from neurossm.report.data_tables import tables_of
from neurossm.report.document import Report
from neurossm.report.figures import csv_text, figures_of
from neurossm.report.standalone import standalone
from neurossm.store import write_text

README = "README.md"
_MARK = "<!-- written by neurossm: figures of a report -->"
_LISTED = re.compile(r"^\| `([^`/]+)` \|.*\| `([0-9a-f]{64})` \|$", re.MULTILINE)
_ABOUT = """\
{mark}
# Figures of {title}

Every figure is an SVG with text as text: `NAME.svg` with a title, `NAME-untitled.svg` without, for
a figure that has a caption. Sizes: 3.3 inches (one column) or up to 7 inches (both). For LaTeX:

    rsvg-convert -f pdf -o energy.pdf energy-untitled.svg    # or inkscape, with -o energy.pdf
    \\includegraphics[width=\\columnwidth]{{energy}}

`NAME.csv` holds the numbers of a figure or a table, in SI units. Energies are intervals, modeled,
not measured; `results.csv` says of each number whether it was measured, counted or modeled.
The next export replaces these files. It stops where one was changed since, or is not listed here.

| file | what | SHA-256 |
|---|---|---|
"""


def write_figures(folder: str | Path, report: Report) -> tuple[Path, ...]:
    """Write every figure as SVG, and the numbers of every figure and table as CSV, into a folder.

    Each file is written atomically. Files of an earlier export are replaced, or removed where this
    report has none of that name. A ``README.md`` lists all files.

    Parameters
    ----------
    folder
        Created if it is not there; the folder that it lies in exists.

    Returns
    -------
    tuple of Path
        What was written.

    Raises
    ------
    InputError
        If a file of one of these names is there that no export wrote, or that was changed since,
        before anything is written; or if a file cannot be written.
    """
    folder = Path(folder)
    made = contents(report)
    files = {name: text for name, (_, text) in made.items()}
    earlier = _listed(folder)
    for name, text in files.items():
        _check_ours(folder / name, text, earlier.get(name))
    if (folder / README).exists() and not earlier:
        raise _foreign(folder / README)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise InputError(f"--figures {folder}", expected="a folder that can be written",
                         got=error.strerror or str(error)) from None  # fmt: skip
    for name, text in files.items():
        write_text(folder / name, text, "--figures")
    for name, digest in earlier.items():
        stale = folder / name
        if name not in files and _digest(stale) == digest:
            stale.unlink()
    about = _ABOUT.format(mark=_MARK, title=report.title)
    lines = (f"| `{name}` | {what} | `{_sha(text)}` |\n" for name, (what, text) in made.items())
    write_text(folder / README, about + "".join(lines), "--figures")
    return tuple(folder / name for name in (*files, README))


def contents(report: Report) -> dict[str, tuple[str, str]]:
    """Return what each file is, and its text, by name."""
    files: dict[str, tuple[str, str]] = {}
    for name, figure in figures_of(report).items():
        files[f"{name}.svg"] = (figure.title, standalone(figure.svg, figure.title))
        files[f"{name}-untitled.svg"] = (f"{figure.title}, no title", standalone(figure.svg))
        files[f"{name}.csv"] = (f"{figure.title}: numbers", csv_text(figure.rows))
    for name, (title, rows) in tables_of(report).items():
        if rows:
            files[f"{name}.csv"] = (title, csv_text(rows))
    return files


def _listed(folder: Path) -> dict[str, str]:
    """Return name and hash of the files of an earlier export."""
    try:
        text = (folder / README).read_text(encoding="utf-8")
    except (OSError, ValueError):
        return {}
    return dict(_LISTED.findall(text)) if text.startswith(_MARK) else {}


def _check_ours(file: Path, text: str, digest: str | None) -> None:
    if (file.exists() or file.is_symlink()) and _digest(file) not in (digest, _sha(text)):
        raise _foreign(file)


def _foreign(file: Path) -> InputError:
    return InputError(
        f"--figures {file}", expected="a new file, or one that an export wrote",
        got="another file", remedy="give another folder, or move the file away",
    )  # fmt: skip


def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest() if not file.is_symlink() else ""
    except OSError:
        return ""


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
