"""Where an extra is not installed: one line with the command that installs it, no traceback."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from neurossm.extras import EXTRAS, MissingExtra, extra_of, missing

LOAD = "from neurossm.store import load; g = load({integer!r})"
# by extra: what pip installs; commands; Python
NEEDED = {
    "torch": (
        [
            "train binary-s4d-digits --out {tmp}/run",
            "sdn --out {tmp}/sdn.safetensors",
            "export binary-s4d-digits -o {tmp}/m.nssm",
            "results",
            "demo --samples 1 --lava-samples 0 --out {tmp}/demo",
            "profile {integer} --data digits:test:2 --measure-cpu --model binary-s4d-digits",
        ],
        [
            "from neurossm_models import Network; Network",
            "import neurossm_models; neurossm_models.LIF",
            "from neurossm_models.train import load_model",
            "from neurossm_models.neurons import LIF",
            "from neurossm_converters.formats.torch import from_torch",
            "from neurossm_models.ste import ste_outputs",
        ],
    ),
    "data": (
        ["run {integer} --data digits:test:2",
         "quantize {floating} -o {tmp}/q --calibrate digits:train:2"],
        ["from neurossm_models.data import load; load('digits:test')"],
    ),
    "nir": (
        ["export {linear} -o {tmp}/m.nssm --nir strict"],
        [
            f"{LOAD}; from neurossm_converters.formats.nir import to_nir; to_nir(g)",
            f"{LOAD}; from neurossm_converters.formats.nir import write; write(g, '{{tmp}}/x.nir')",
        ],
    ),
    "plot": (
        ["sweep {floating} --data digits:test:2 --calibrate digits:train:2 --poles 8"
         " --plot {tmp}/s.svg"],
        ["from neurossm.report.sweep_plot import draw_sweep; draw_sweep('s.svg', [], '')"
         .replace("'s.svg'", "__import__('pathlib').Path('s.svg')")],
    ),
    "dask": (
        ["run {integer} --data digits:test:2 --engine dask"],
        [f"{LOAD}; import numpy as np; from neurossm import run;"
         " run(g, np.zeros((1, 2, 1), int), 'dask')"],
    ),
    "lava": (
        [
            "run {integer} --data digits:test:1 --engine lava",
            "verify {integer} --engine lava",
            "deploy {integer} --target lava",
        ],
        [f"{LOAD}; import numpy as np; from neurossm_converters.backends.lava import run;"
         " run(g, np.zeros((1, 2, 1), int))"],
    ),
}  # fmt: skip


def _command(extra: str) -> str:
    return "neurossm install lava" if extra == "lava" else f"pip install 'neurossm[{extra}]'"


def outcome(extra: str, files, tmp_path: Path):
    names = {"integer": str(files.integer), "floating": str(files.floating), "tmp": str(tmp_path),
             "linear": str(files.linear_run)}  # fmt: skip
    commands, lines = NEEDED[extra]
    asked = {
        "commands": [line.format(**names).split() for line in ("doctor --json", *commands)],
        "python": [line.format(**names) for line in lines],
    }
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("without.py"), extra],
        input=json.dumps(asked), capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    return json.loads(done.stdout)


@pytest.mark.parametrize("extra", NEEDED)
def test_one_line_that_says_what_to_install(extra, files, tmp_path):
    (doctor, *ended), raised = outcome(extra, files, tmp_path)
    for command, (status, out, err) in zip(NEEDED[extra][0], ended, strict=True):
        assert status == 2 and not out, (command, err)
        last = err.splitlines()[-1]
        assert last.startswith("neurossm: ") and last.endswith(_command(extra)), command
        assert "Traceback" not in err
    for line, (kind, message) in zip(NEEDED[extra][1], raised, strict=True):
        assert kind in ("MissingExtra", "TargetError"), (line, kind, message)
        assert _command(extra) in message and "\n" not in message
    status, out, _ = doctor
    rows = {row["name"]: row for row in json.loads(out)["extras"]}
    assert status == 0 and not rows[extra]["ok"]
    assert rows[extra]["remedy"] == _command(extra)
    assert rows[extra]["missing"] == list(next(e.packages for e in EXTRAS if e.name == extra))
    others = {"torch", "data", "nir", "plot", "dask", "lava"} - {extra}
    assert all(rows[name]["ok"] and not rows[name]["remedy"] for name in others)


def test_export_without_nir_writes_the_graph_and_says_what_nir_needs(files, tmp_path):
    asked = {"commands": [["export", str(files.linear_run), "-o", str(tmp_path / "m.nssm")]],
             "python": []}  # fmt: skip
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("without.py"), "nir"],
        input=json.dumps(asked), capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    (((status, out, err),), _) = json.loads(done.stdout)
    assert status == 0, err
    assert "NIR: not written; no nir is installed; pip install 'neurossm[nir]'" in out
    assert (tmp_path / "m.nssm").is_file()


def test_extras_are_those_of_the_package():
    declared = {}
    for line in metadata.requires("neurossm"):
        package, _, rest = line.partition(";")
        if "extra ==" in rest and "'dev'" not in rest:
            name = rest.split("'")[-2]
            declared.setdefault(name, set()).add(re.split("[<>=]", package)[0].strip())
    declared["lava"].discard("numpy")  # capped there, brought by the core
    # lava-nc is not in the package's own: no resolver installs it on the Pythons that we support
    ours = {extra.name: set(extra.packages) - {"lava-nc"} for extra in EXTRAS}
    assert {name: found - {"lava-nc", "numpy"} for name, found in declared.items()} == ours


def test_an_import_that_no_extra_explains_stays_what_it_is():
    assert missing(ImportError("cannot import name 'x'", name="torch")) is None
    assert missing(ModuleNotFoundError("No module named 'rich'", name="rich")) is None
    found = missing(ModuleNotFoundError("No module named 'dask.base'", name="dask.base"))
    assert isinstance(found, MissingExtra) and isinstance(found, ImportError)
    assert str(found) == (
        "extra 'dask': expected the package distributed, got none; pip install 'neurossm[dask]'"
    )
    assert extra_of("torch.nn").name == "torch" and extra_of("numpy") is None
