"""What `make mutants` is told of this tree is true of it."""

import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOLD = tomllib.loads((ROOT / "tools/mutants.toml").read_text())


def test_the_tests_that_judge_are_there():
    for start, tests in TOLD["tests"].items():
        assert (ROOT / start).exists(), start
        assert all((ROOT / test).exists() for test in tests), start


def test_every_line_that_may_be_mutated_unseen_still_stands():
    for row in TOLD["equivalent"]:
        lines = [line.strip() for line in (ROOT / row["file"]).read_text().splitlines()]
        assert row["was"] in lines, row
        assert row["why"] and row["became"], row
