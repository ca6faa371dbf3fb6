"""The table of docs/reference/nodes.md is what the code says now."""

from conformance import matrix


def test_what_runs_where_is_current():
    assert matrix.current() == matrix.block(), "run: make matrix"


def test_the_matrix_is_readable():
    table, reasons = matrix.rendered().split("\n\n")
    lines = table.splitlines()
    assert len(lines) == 2 + len(matrix.KINDS)
    assert max(map(len, lines)) <= 130
    (row,) = [line for line in lines if line.startswith("| `TernaryThreshold` |")]
    assert row.split(" | ")[1:5] == ["yes"] * 4  # fast, Stepper, gpu, bundle
    assert "- `TernaryThreshold`, NIR: NIR has no signed spikes." in reasons.splitlines()
