"""Points of a sweep over widths, and their table in a file that survives a kill."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from itertools import product
from pathlib import Path

from neurossm.arguments import shown
from neurossm.deprecation import deprecated
from neurossm.errors import InputError, nearest
from neurossm.files import append, replace_file

GO_ON = "give the same command again: it goes on where it was"
WIDTHS = ("poles", "weights", "state", "activations")


@dataclass(frozen=True)
class Point:
    """Widths in bits, with sign; all 0 for the float graph."""

    poles: int = 16
    weights: int = 8
    state: int = 24
    activations: int = 24

    def __str__(self) -> str:
        if self == FLOAT:
            return "float"
        return ", ".join(f"{name} {getattr(self, name)}" for name in WIDTHS)


FLOAT = Point(0, 0, 0, 0)


@dataclass(frozen=True)
class SweepRow:
    """One line of the table.

    Attributes
    ----------
    graph, data, calibrate, hardware
        Digest of the float graph, the data and the chip: with the widths, what was measured.
    poles, weights, state, activations
        Widths in bits, with sign; 0 for the float graph.
    samples, accuracy
        Test sequences, and the share that was right.
    energy_low_j, energy_high_j
        Modeled energy of one inference, over all constant sets; nothing measured.
    spike_rate
        Mean rate of all neurons that spike.
    saturations
        Values that were clipped, in all samples.
    seconds
        What the point took.
    problem
        Why these widths cannot be had; the numbers are empty then.
    score, value
        Name and value of what the task is judged by; `accuracy` is empty where it has none.
    """

    graph: str
    data: str
    calibrate: str
    hardware: str
    poles: int
    weights: int
    state: int
    activations: int
    samples: int
    accuracy: float | None = None
    energy_low_j: float | None = None
    energy_high_j: float | None = None
    spike_rate: float | None = None
    saturations: int | None = None
    seconds: float | None = None
    problem: str = ""
    score: str = ""
    value: float | None = None

    @property
    def point(self) -> Point:
        """Its widths."""
        return Point(*(getattr(self, name) for name in WIDTHS))

    @property
    def is_float(self) -> bool:
        """Whether it is of the float graph."""
        return self.point == FLOAT

    @property
    def messages(self) -> int:
        """Old name of `activations`."""
        deprecated("SweepRow.messages", "SweepRow.activations")
        return self.activations

    def same_measurement(self, other: SweepRow) -> bool:
        """Tell whether both are the same graph at the same widths on the same data."""
        names = ("graph", "data", "calibrate", "hardware", "samples", *WIDTHS)
        return all(getattr(self, name) == getattr(other, name) for name in names)


COLUMNS = tuple(field.name for field in fields(SweepRow))
BEFORE = COLUMNS[: COLUMNS.index("score")]  # of tables from before there were other tasks
OLD_WIDTH = "messages"  # the old name of the width of activations
RENAMED = {"spikes_per_neuron": "spike_rate", OLD_WIDTH: "activations"}
NUMBERS: Mapping[str, type[int] | type[float]] = {
    **dict.fromkeys((*WIDTHS, "samples", "saturations"), int),
    **dict.fromkeys(("accuracy", "energy_low_j", "energy_high_j", "spike_rate", "seconds",
                     "value"),
                    float),
}  # fmt: skip


def points(values: Mapping[str, Sequence[int]], *, grid: bool) -> list[Point]:
    """Return the points of a sweep, each once.

    Parameters
    ----------
    values
        Width to its values; a width that is left out keeps its default.
    grid
        True for all combinations; False for one width at a time, the others at their defaults.

    Raises
    ------
    InputError
        For an unknown width, or values that are no list.
    """
    if OLD_WIDTH in values and "activations" not in values:
        deprecated(f"sweep width {OLD_WIDTH}", "activations", stacklevel=4)
        values = {"activations" if name == OLD_WIDTH else name: v for name, v in values.items()}
    for name, numbers in values.items():
        if name not in WIDTHS:
            raise InputError("sweep widths", expected=", ".join(WIDTHS), got=repr(name),
                             remedy=nearest(str(name), WIDTHS))  # fmt: skip
        if isinstance(numbers, str) or not isinstance(numbers, Sequence):
            raise InputError(f"sweep {name}", expected="a list of bits, such as [8, 12]",
                             got=shown(numbers))  # fmt: skip
    if grid:
        lists = [values.get(name, (getattr(Point(), name),)) for name in WIDTHS]
        found = [Point(*combination) for combination in product(*lists)]
    else:
        found = [
            replace(Point(), **{name: value}) for name in WIDTHS for value in values.get(name, ())
        ]
    return list(dict.fromkeys(found))


class SweepFile:
    """A CSV file to which each row is added at once.

    Parameters
    ----------
    path
        The file; None keeps the rows in memory only.

    Raises
    ------
    InputError
        If there is a file that is no such table, or a broken row in it.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.rows: list[SweepRow] = []
        if path and path.exists() and path.stat().st_size:
            self.rows = self._read(path)
        elif path:
            append(path, _line(COLUMNS), "-o")

    def find(self, wanted: SweepRow) -> SweepRow | None:
        """Return the row of this measurement, if it was made before."""
        return next((row for row in self.rows if row.same_measurement(wanted)), None)

    def add(self, row: SweepRow) -> None:
        """Add a row; it is on the disk when this returns.

        Raises
        ------
        InputError
            If it cannot be written; the rows before it stay as they are.
        """
        if self._path is not None:
            append(self._path, _line(asdict(row).values()), "-o", remedy=GO_ON)
        self.rows.append(row)

    def _read(self, path: Path) -> list[SweepRow]:
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise InputError(str(path), expected="a table of a sweep", got="no text") from None
        whole = text[: text.rfind("\n") + 1]
        if not whole and _line(COLUMNS).startswith(text.encode()):  # killed in the header
            replace_file(path, _line(COLUMNS), "-o")
            return []
        lines = list(csv.reader(whole.split("\n")[:-1]))
        head = tuple(lines[0]) if lines else ()
        columns = tuple(RENAMED.get(name, name) for name in head)
        if columns not in (BEFORE, COLUMNS):
            raise InputError(
                str(path), expected=f"a table of a sweep ({COLUMNS[0]}, {COLUMNS[1]}, ...)",
                got="another file", remedy="give -o a new name",
            )  # fmt: skip
        rows = [_row(path, n, line, columns) for n, line in enumerate(lines[1:], start=2)]
        if head != COLUMNS:  # of an older version
            table = [_line(COLUMNS), *(_line(asdict(row).values()) for row in rows)]
            replace_file(path, b"".join(table), "-o")
        elif whole != text:  # killed in the middle of a line
            replace_file(path, whole.encode(), "-o")
        return rows


def _line(cells: Iterable[object]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue().encode()


def _row(path: Path, number: int, cells: list[str], columns: Sequence[str]) -> SweepRow:
    try:
        given = dict(zip(columns, cells, strict=True))
        values = {
            name: NUMBERS[name](cell) if cell else None
            for name, cell in given.items()
            if name in NUMBERS
        }
    except ValueError:
        raise InputError(
            f"{path}, line {number}", expected=f"{len(columns)} cells of a sweep", got=repr(cells)
        ) from None
    return SweepRow(**{**given, **values})  # type: ignore[arg-type]  # by the names of its columns
