"""FORMAT.md is enough to execute an integer graph: an interpreter written from it alone agrees."""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from independent import interpreter
from random_graphs import QUICK, cases

from neurossm.engine import run
from neurossm.store import Golden, save

ROOT = Path(__file__).parents[2]
SOURCE = Path(interpreter.__file__)
FOLDERS = ("hw_tests", "models", "notebooks", "tests")
STORED = sorted(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.nssm"))
NAMES = [path.relative_to(ROOT).as_posix() for path in STORED]

# the types that may stand in an integer graph, from the table in FORMAT.md
TYPES = {
    "AdaptiveThreshold", "ComplexDiagonal",
    "Input", "Output", "Affine", "DiagonalSSM", "Threshold", "Sum", "Product", "PiecewiseLinear",
    "Accumulate", "TernaryThreshold", "LIF", "AdaptiveLIF", "ResonateAndFire", "Embedding", "Delay",
    "Conv2d",
}  # fmt: skip


@pytest.mark.parametrize("path", STORED, ids=NAMES)
def test_it_agrees_on_every_stored_file(path):
    assert interpreter.disagreements(interpreter.read(path)) == []


def test_the_golden_files_hold_every_node_type():
    files = [interpreter.read(path) for path in STORED if path.parent.name == "golden"]
    assert all(file.golden for file in files)
    assert {node.type for file in files for node in file.nodes} == TYPES


def test_it_agrees_on_random_graphs(tmp_path):
    found, path = set(), tmp_path / "random.nssm"

    @settings(QUICK, max_examples=20)
    @given(cases())
    def check(case):
        graph, inputs = case.graph, case.inputs
        trace = run(graph, inputs, engine="reference", record="all")
        golden = (Golden.from_trace(inputs, trace, 0), Golden.from_trace(inputs, trace, -1))
        save(path, graph, golden)
        file = interpreter.read(path)
        assert len(file.golden) == 2
        assert interpreter.disagreements(file) == []
        found.update(node.type for node in file.nodes)

    check()
    assert found == TYPES, "the random graphs lack a node type"


# -- it can disagree ---------------------------------------------------------------------------


def altered(tmp_path, change, honest=True):
    """Return a golden file with one array changed, and with a new hash if `honest`."""
    path = shutil.copy(ROOT / "hw_tests/golden/ssm.nssm", tmp_path / "altered.nssm")
    with h5py.File(path, "r+") as file:
        root = file["neurossm"]
        change(root)
        if honest:
            tree = interpreter.read_tree(root)
            del tree["sha256"]
            root.attrs["sha256"] = np.bytes_(interpreter.digest(tree).hex())
    return path


def add_one(part, which, place):
    def change(root):
        name = f"golden/1/{part}/{which}"
        data = root[name][()]
        data[place] += 1
        del root[name]
        root[name] = data

    return change


def test_an_altered_file_is_refused(tmp_path):
    path = altered(tmp_path, add_one("values", "out", (3, 0)), honest=False)
    with pytest.raises(interpreter.FormatError, match="sha256"):
        interpreter.read(path)


@pytest.mark.parametrize(
    ("part", "which", "place"),
    [("values", "out", (3, 0)), ("values", "ssm", (0, 1)), ("states", "ssm.im", (0, 0))],
)
def test_a_wrong_number_is_found(tmp_path, part, which, place):
    path = altered(tmp_path, add_one(part, which, place))
    found = interpreter.disagreements(interpreter.read(path))
    assert found == [f"golden 1: {part} of {which!r}"]


# -- it is independent -------------------------------------------------------------------------


def test_it_imports_numpy_h5py_and_the_standard_library_only():
    imported = set()
    for item in ast.walk(ast.parse(SOURCE.read_text())):
        if isinstance(item, ast.Import):
            imported |= {alias.name.split(".")[0] for alias in item.names}
        elif isinstance(item, ast.ImportFrom):
            imported.add((item.module or "").split(".")[0])
    assert imported - {"numpy", "h5py"} <= sys.stdlib_module_names


def test_it_runs_where_neurossm_cannot_be_imported():
    code = f"""
import json, sys
for name in ("neurossm", "neurossm_models", "neurossm_converters"):
    sys.modules[name] = None
sys.path.insert(0, {str(SOURCE.parent)!r})
import interpreter
from pathlib import Path
files = [interpreter.read(Path(path)) for path in json.loads(sys.stdin.read())]
found = [interpreter.disagreements(file) for file in files]
print(json.dumps([sum(len(file.golden) for file in files), found]))
"""
    paths = [str(path) for path in STORED if path.parent.name == "golden"]
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(paths), capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    vectors, found = json.loads(done.stdout)
    assert vectors >= len(paths) > 0
    assert found == [[] for _ in paths]
