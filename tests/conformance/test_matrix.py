"""README's table is what the code says now."""

import pytest
from conformance import matrix


@pytest.mark.parametrize("name", matrix.FILES)
def test_what_runs_where_is_current(name):
    assert matrix.current(name) == matrix.block(name), "run: make matrix"


def test_the_matrix_is_readable():
    lines = matrix.rendered(reasons=False).splitlines()
    assert len(lines) == 2 + len(matrix.KINDS)
    assert max(map(len, lines)) <= 130
    (row,) = [line for line in lines if line.startswith("| `TernaryThreshold` |")]
    assert row.split(" | ")[1:5] == ["yes"] * 4  # fast, Stepper, gpu, bundle
    assert "- `TernaryThreshold`, NIR: NIR has no signed spikes." in matrix.rendered(reasons=True)
