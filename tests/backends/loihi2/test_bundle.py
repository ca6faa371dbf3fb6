"""The bundle: what is in it, and that it runs without neurossm."""

from __future__ import annotations

import ast
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from neurossm.errors import InputError
from neurossm.hardware import load_hardware
from neurossm.placement import place
from neurossm.store import graph_digest, load, load_golden, save
from neurossm_converters.backends.lava import status
from neurossm_converters.backends.loihi2 import Settings, default_folder, write_bundle
from neurossm_converters.backends.loihi2.script import CHIP, FILES

ALONE = """
import runpy, sys
for name in ("neurossm", "neurossm_models", "neurossm_converters"):
    sys.modules[name] = None
script = sys.argv[1] + "/run.py"
sys.argv = ["run.py", "--target", "lava", "--out", sys.argv[2]]
runpy.run_path(script, run_name="__main__")
"""


def bundle(folder: Path, graph: Path, **settings: object) -> tuple[str, ...]:
    plan = place(load(graph), load_hardware("loihi2"), ssm_mapping="channel")
    return write_bundle(folder, graph, Settings(**settings), plan.as_json())


def test_what_is_in_it(golden, tmp_path):
    graph, folder = golden("ssm"), tmp_path / "out"
    files = bundle(folder, graph, partition="oheogulch", generation="N3C1")
    assert {"README.md", "run.py", "graph.nssm", "plan.json", "environment.json",
            "submit.sbatch", "neurossm_chip/processes/neurons.py"} <= set(files)  # fmt: skip
    assert not any("pycache" in name for name in files)
    assert set(files) == {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
    assert (folder / "graph.nssm").read_bytes() == graph.read_bytes()
    plan = json.loads((folder / "plan.json").read_text())
    assert plan["hardware"] == "loihi2" and plan["cores_in_use"] == len(plan["cores"]) > 0
    about = json.loads((folder / "environment.json").read_text())
    assert about["graph_sha256"] == graph_digest(load(graph))
    assert about["written_with"]["numpy"] == np.__version__


def test_the_job_asks_for_what_was_named(golden, tmp_path):
    bundle(tmp_path / "a", golden("ssm"), partition="oheogulch", generation="N3C1")
    job = (tmp_path / "a/submit.sbatch").read_text()
    assert "#SBATCH --partition=oheogulch\n" in job and "export PARTITION=oheogulch\n" in job
    assert "export SLURM=1\nunset NOSLURM\nexport LOIHI_GEN=N3C1\n" in job
    assert "BOARD=" not in job and "--target loihi2" in job
    bundle(tmp_path / "b", golden("ssm"), board="ncl-1.x")
    job = (tmp_path / "b/submit.sbatch").read_text()
    assert "#SBATCH --nodelist=ncl-1.x\n" in job and "export BOARD=ncl-1.x\n" in job
    assert "export PARTITION" not in job
    for name in ("a", "b"):
        done = subprocess.run(["bash", "-n", str(tmp_path / name / "submit.sbatch")], check=False)
        assert done.returncode == 0


def test_the_readme_is_complete(golden, tmp_path):
    bundle(tmp_path / "out", golden("ssm"))
    text = (tmp_path / "out/README.md").read_text()
    assert "$" not in text, "a placeholder was left open"
    assert "2 golden vectors of\n24 steps" in text
    for part in ("Nothing in this folder has been run on a chip yet", "sbatch submit.sbatch"):
        assert part in text
    # what it promises about the script is so
    script = (tmp_path / "out/neurossm_chip/main.py").read_text()
    for option in ("--target", "--profile", "--processes", "--models", "--out", "--inputs",
                   "--labels", "--samples"):  # fmt: skip
        assert option in text and f'"{option}"' in script


def test_it_is_written_for_python_3_8_numpy_h5py_and_lava():
    imported = set()
    for path in (*FILES.rglob("*.py"), *CHIP.rglob("*.py")):
        tree = ast.parse(path.read_text(), feature_version=(3, 8))
        for item in ast.walk(tree):
            if isinstance(item, ast.Import):
                imported |= {alias.name.split(".")[0] for alias in item.names}
            elif isinstance(item, ast.ImportFrom):
                imported.add((item.module or "").split(".")[0])
    outside = imported - set(sys.stdlib_module_names)
    assert outside == {"numpy", "h5py", "scipy", "lava", "neurossm_chip"}  # Lava needs scipy


def test_a_folder_with_something_in_it_is_refused(golden, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine").write_text("keep me")
    with pytest.raises(InputError, match="new or empty folder"):
        bundle(tmp_path / "out", golden("ssm"))
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["mine"]


@pytest.mark.parametrize("file", ["graph.nssm", "main.py"])
def test_a_bundle_that_fails_half_way_leaves_nothing(golden, tmp_path, monkeypatch, file):
    graph, mine, copy = golden("ssm"), tmp_path / "mine", shutil.copyfile

    def full(source: Path, target: Path, **options: bool) -> object:
        if Path(target).name == file:
            raise OSError(28, "No space left on device")
        return copy(source, target, **options)

    monkeypatch.setattr(shutil, "copyfile", full)
    mine.mkdir()
    for folder in (mine, tmp_path / "new"):
        with pytest.raises(InputError, match=r"--bundle .* got .*No space left on device"):
            bundle(folder, graph)
    assert not (tmp_path / "new").exists() and list(mine.iterdir()) == []


def test_the_script_runs_isolated_in_a_folder_with_a_space(golden, tmp_path):
    bundle(tmp_path / "a bundle", golden("ssm"))
    done = subprocess.run(
        [sys.executable, "-I", tmp_path / "a bundle/run.py", "--target", "lava", "--check"],
        capture_output=True, text=True, cwd="/", check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "latency 4 steps" in done.stdout


def test_a_graph_without_golden_vectors_is_refused(golden, tmp_path):
    bare = tmp_path / "bare.nssm"
    save(bare, load(golden("ssm")))
    with pytest.raises(InputError, match="golden vectors"):
        bundle(tmp_path / "out", bare)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"partition": "a; rm -rf ~"}, {"board": "$(x)"}, {"partition": "a", "board": "b"},
        {"models": ("../x; rm -rf ~",)}, {"models": ("",)}, {"target": "lava", "profile": True},
        {"target": "tpu"}, {"generation": "N2A2"}, {"vectors": -1}, {"time_limit": float("nan")},
    ],
    ids=lambda w: "+".join(w),
)  # fmt: skip
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(InputError):
        Settings(**wrong)


def test_the_default_folder_stands_beside_the_graph():
    assert default_folder(Path("a/m.int.nssm")) == Path("a/m-loihi2")
    assert default_folder(Path("m.nssm")) == Path("m-loihi2")


@pytest.mark.lava
@pytest.mark.skipif(not status().usable, reason="no Lava")
def test_alone_it_gives_the_golden_traces_bit_for_bit(golden, tmp_path):
    """In an isolated interpreter, elsewhere, neurossm unimportable; Lava and NumPy as installed."""
    graph, elsewhere = golden("neurons"), tmp_path / "moved"
    bundle(tmp_path / "out", graph)
    shutil.move(tmp_path / "out", elsewhere)
    done = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, str(elsewhere), str(tmp_path / "result")],
        cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    about = json.loads((tmp_path / "result/result.json").read_text())
    loaded = load(graph)
    vectors = load_golden(graph, loaded)
    with np.load(tmp_path / "result/result.npz") as file:
        arrays = dict(file)
    # every node but the inputs, every state: held against the file here, and not by the script
    names = {f"value:{n}" for n in loaded.nodes if n not in loaded.inputs}
    assert set(arrays) == names | {f"state:{n}" for n in vectors[0].states}
    for key, found in arrays.items():
        kind, name = key.split(":")
        expected = [(v.values if kind == "value" else v.states)[name] for v in vectors]
        np.testing.assert_array_equal(found, np.stack(expected), err_msg=key)
    assert about["equal"] and "NOT a chip" in about["ran_on"]
    assert any(np.any(array) for key, array in arrays.items() if key.startswith("state:"))


@pytest.mark.lava
@pytest.mark.skipif(not status().usable, reason="no Lava")
def test_whatever_ends_the_script_nothing_is_left(golden, tmp_path):
    """After SIGKILL the processes of the network end; the folder is removed by the next run."""
    folder, place = tmp_path / "out", tmp_path / "t"
    bundle(folder, golden("neurons"))
    place.mkdir()
    for number, ended, left in (
        (signal.SIGKILL, -signal.SIGKILL, 1), (signal.SIGTERM, 143, 0), (signal.SIGINT, 130, 0),
    ):  # fmt: skip
        before = set(place.glob("*/listener-*"))
        run = subprocess.Popen(
            [sys.executable, str(folder / "run.py"), "--target", "lava"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
            env={**os.environ, "TMPDIR": str(place)},
        )  # fmt: skip
        limit = time.monotonic() + 60
        # the socket of the process that holds the shared memory: Lava starts
        while not set(place.glob("*/listener-*")) - before and time.monotonic() < limit:
            time.sleep(0.01)
        children = psutil.Process(run.pid).children(recursive=True)
        run.send_signal(number)
        assert run.wait(timeout=15) == ended, number
        assert children and not psutil.wait_procs(children, timeout=20)[1], number
        assert len(list(place.iterdir())) == left, number


def test_a_full_disk_is_said_in_plain_words():
    from neurossm_converters.backends.loihi2.bundle import _unwritable

    copied = shutil.Error(
        [("a.py", "b.py", "[Errno 28] No space left on device: 'a.py' -> 'b.py'")]
    )
    assert str(_unwritable(Path("to"), copied)) == (
        "--bundle to: expected a folder that can be written, got No space left on device;"
        " free space in ."
    )
