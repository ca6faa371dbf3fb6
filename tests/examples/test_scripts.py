"""The examples run as a newcomer runs them: copied into an empty folder, as scripts."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
PROGRAMS = sorted(EXAMPLES.glob("*.py"))


def ran(name: str, folder: Path, *words: str) -> str:
    shutil.copy(EXAMPLES / name, folder / name)
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-W", "error::FutureWarning", name, *words], cwd=folder, text=True,
        env=environment, capture_output=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def percents(said: str) -> list[float]:
    return [float(number) for number in re.findall(r"([\d.]+) ?%", said)]


def test_own_data(tmp_path):
    said = ran("own_data.py", tmp_path, ".")
    assert "classification: circle, shake, wave; 2 channels" in said
    sizes = [int(size) for size in re.findall(r": (\d+) sequences of", said)]
    # 50 of each class; 15% of them are 7 or 8
    assert sum(sizes) == 150 and all(21 <= size <= 24 for size in sizes[1:])
    real, integer = percents(said.splitlines()[-1])
    assert integer > 66 and abs(real - integer) < 10, "a guess is right on a third"
    assert (tmp_path / "gestures.int.nssm").is_file() and (tmp_path / "run/log.jsonl").is_file()


def test_own_network(tmp_path):
    said = ran("own_network.py", tmp_path)
    errors = [float(error) for error in re.findall(r"at most ([\d.]+)", said)]
    assert "outputs classes, value" in said
    assert len(errors) == 2 and max(errors) < 0.2


def test_by_hand(tmp_path):
    said = ran("by_hand.py", tmp_path)
    counts = [int(count) for count in re.findall(r"\d+", said.partition("neuron:")[2])]
    assert len(counts) == 8 and 0 < sum(counts) < 8 * 50
    assert "bit-exact: True" in said


def test_own_back_end(tmp_path):
    said = ran("own_back_end.py", tmp_path)
    assert re.search(r"^[\d,]+ values of 19 nodes", said)
    assert "0 mismatches, counters equal: True" in said


def test_to_loihi2(tmp_path):
    said = ran("to_loihi2.py", tmp_path, ".")
    assert re.search(r"\d+ neurons on \d+ cores of 1 chip\n", said)
    low, high = map(float, re.search(r"inference: ([\d.e+]+) to ([\d.e+]+) uJ", said).groups())
    assert 0 < low < high
    assert min(percents(said)) > 90
    # what the program says it wrote, and what its README promises
    for file in ("cores.svg", "report.html", "to-loihi2/run.py", "to-loihi2/graph.nssm"):
        assert (tmp_path / file).stat().st_size > 300, file


def test_train_my_module(tmp_path):
    said = ran("train_my_module.py", tmp_path, "run")
    assert min(percents(said.splitlines()[-1])) > 90
    assert (tmp_path / "run" / "log.jsonl").is_file()


def test_the_index_has_all_of_them():
    index = (EXAMPLES / "README.md").read_text()
    assert [one.name for one in PROGRAMS if f"]({one.name})" not in index] == []
    tested = Path(__file__).read_text() + (Path(__file__).parent / "test_streaming.py").read_text()
    assert [one.name for one in PROGRAMS if f'"{one.name}"' not in tested] == []


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda path: path.stem)
def test_only_what_is_public_is_imported(program):
    """No internals of the workflow and converter packages, nothing that begins with a line."""
    wrong = []
    for node in ast.walk(ast.parse(program.read_text())):
        if isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        else:
            continue
        for name in names:
            top, *rest = name.split(".")
            ours = top.startswith("neurossm")
            if ours and (top not in ("neurossm", "neurossm_models") or len(rest) > 2):
                wrong.append(name)
            wrong += [name for part in rest if part.startswith("_")]
    assert wrong == []
