"""The conformance vectors of the proposed NIR nodes: reader, interpreter, and their own making."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
from nir_interpreter import Interpreter

from neurossm.engine import run
from neurossm.fixed import Fixed
from neurossm_converters.formats import nir as neurossm_nir
from neurossm_converters.formats.nir import Reading

FOLDER = Path(__file__).parents[2] / "docs" / "nir-proposal"
NAMES = sorted(path.stem for path in FOLDER.glob("*.nir"))


def vector(name: str) -> tuple[float, float, np.ndarray, np.ndarray]:
    """Return dt in ms, tolerance, input and output of a vector."""
    said = json.loads((FOLDER / f"{name}.json").read_text())
    return said["dt_ms"], said["tolerance"], np.array(said["input"]), np.array(said["output"])


@pytest.mark.parametrize("name", NAMES)
def test_a_vector_gives_what_it_must(name):
    dt, tolerance, given, expected = vector(name)
    reading = Reading(dt=dt / 1e3, proposed=True, input=Fixed(24, 6))
    graph = neurossm_nir.read(FOLDER / f"{name}.nir", reading).graph
    inputs = np.rint(given * 64).astype(np.int64)
    np.testing.assert_array_equal(inputs / 64, given)
    found = run(graph, inputs[None], "float", "outputs").values["output"][0]
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)
    assert np.abs(expected).max() >= 1 and np.ptp(expected) > 0


@pytest.mark.parametrize("name", NAMES)
def test_an_independent_interpreter_agrees(name):
    dt, tolerance, given, expected = vector(name)
    found = Interpreter(FOLDER / f"{name}.nir", dt).run(given)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def test_there_is_one_of_each_kind_and_all_are_small():
    assert NAMES == [
        "reset-both", "reset-exponential", "reset-resonator", "reset-subtract",
        "reset-subtract-leak", "reset-value",
        "state-space-bilinear", "state-space-dirac", "state-space-drive", "state-space-seconds",
        "state-space-zoh",
    ]  # fmt: skip
    for name in NAMES:
        assert (FOLDER / f"{name}.nir").stat().st_size < 20_000


def contents(path: Path) -> dict[str, object]:
    found: dict[str, object] = {}

    def note(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = item[()]

    with h5py.File(path) as file:
        file.visititems(note)
    return found


def test_the_script_makes_what_is_here(tmp_path):
    subprocess.run([sys.executable, FOLDER / "make.py", tmp_path], check=True)
    assert sorted(path.stem for path in tmp_path.glob("*.nir")) == NAMES
    for name in NAMES:
        now, then = (contents(folder / f"{name}.nir") for folder in (tmp_path, FOLDER))
        assert now.keys() == then.keys()
        for key, value in now.items():
            np.testing.assert_array_equal(value, then[key])
        fresh = json.loads((tmp_path / f"{name}.json").read_text())
        dt, _, given, expected = vector(name)
        assert fresh["dt_ms"] == dt and fresh["input"] == given.tolist()
        np.testing.assert_allclose(fresh["output"], expected, rtol=1e-12, atol=1e-12)
