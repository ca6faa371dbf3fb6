"""Mutants of every format: each is accepted, or refused by one line that names the file.

`tests/fuzz/run.py` reads far more of them, in a child process that may crash or hang, and
`tests/fuzz/guided.py` looks for those that reach new lines.
"""

from __future__ import annotations

import pickle
import subprocess
from collections import Counter
from pathlib import Path

import pytest
from hostile.fuzzing.bench import Bench
from hostile.fuzzing.formats import by_name
from hostile.fuzzing.outcomes import outcome
from hostile.fuzzing.watching import TookTooLong, bounded_time

from neurossm.errors import FormatError

FORMATS = by_name()
FILES = 200
FEWER = {
    "nssm": 80, "trace": 60, "nir": 60, "nir-proposed": 40, "netx": 60, "recipe": 100, "chip": 100,
}  # fmt: skip


@pytest.mark.parametrize("name", FORMATS)
def test_mutants_are_accepted_or_refused_by_name(tmp_path, monkeypatch, name):
    bench, counts = Bench(FORMATS[name], tmp_path), Counter()
    monkeypatch.chdir(tmp_path)
    count = FEWER.get(name, FILES)
    with bench.ready():
        for number in range(count):
            found = bench.mutant(0, number)
            assert found.kind != "finding", f"mutant {number}: {found.what} ({found.where})"
            counts[found.kind] += 1
    assert counts["refused"] > count // 4  # most mutations matter
    assert counts["accepted"] or FORMATS[name].seeds_are_refused


def test_a_mutant_is_a_function_of_its_numbers():
    for name in ("recipe", "nssm", "netx", "checkpoint"):
        assert FORMATS[name].mutant(3, 5) == FORMATS[name].mutant(3, 5)
        assert len({FORMATS[name].mutant(3, number) for number in range(20)}) > 15


MUCH = 2**33  # more than what tests before may have left free in this process
WRONG = {
    "another error": (lambda path: 1 / 0, "ZeroDivisionError"),
    "too much memory": (lambda path: bytes(MUCH), "MemoryError"),
    "too much memory, hidden": (lambda path: _greedy(path), "more memory than the bound"),
    "a file": (lambda path: path.with_name("x").write_text("x"), "opened"),
    "another file": (lambda path: _refuse("elsewhere"), "does not name the file"),
    "a long message": (lambda path: _refuse(f"{path} " + "x" * 5000, cut=False), "characters"),
    "a message of two lines": (lambda path: _refuse(f"{path}\n", cut=False), "one line"),
    "a process": (lambda path: subprocess.run(["true"], check=True), "subprocess.Popen"),
    "a pickle": (lambda path: pickle.loads(pickle.dumps(print)), "pickle.find_class"),
}


def _refuse(where: str, cut: bool = True) -> None:
    error = FormatError(where)
    if not cut:
        error.args = (where,)
    raise error


def _greedy(path: Path) -> None:
    try:
        bytes(MUCH)
    except MemoryError:
        raise FormatError(str(path)) from None


@pytest.mark.parametrize("name", WRONG)
def test_the_checker_finds_what_it_is_for(tmp_path, name):
    read, what = WRONG[name]
    path = tmp_path / "file"
    path.write_text("x")
    found = outcome(read, path, tmp_path)
    assert found.kind == "finding" and what in found.what


def test_the_checker_lets_a_refusal_and_a_reading_pass(tmp_path):
    path = tmp_path / "file"
    path.write_text("x")
    assert outcome(lambda path: path.read_text(), path, tmp_path).kind == "accepted"
    assert outcome(lambda path: _refuse(f"{path} \x1b[2J"), path, tmp_path).kind == "refused"


def test_the_checker_takes_a_few_lines_for_what_people_write(tmp_path):
    path = tmp_path / "file.toml"
    path.write_text("x")
    more = "and 3 more"

    def read(*lines: str) -> str:
        return outcome(lambda path: _refuse("\n".join(lines), cut=False), path, tmp_path).what

    line = f"{path}: x"
    assert read(line, line) == f"{line}\n{line}"
    assert read(*[line] * 5, more).endswith(more)
    assert "does not name the file" in read(line, "elsewhere")
    assert "does not name the file" in read(line, line, more)
    assert "few lines" in read(*[line] * 6, more)
    assert "few lines" in read(line, f"{line} \x1b[2J")


def test_a_loop_is_ended():
    with pytest.raises(TookTooLong), bounded_time(0.1):
        while True:
            pass
