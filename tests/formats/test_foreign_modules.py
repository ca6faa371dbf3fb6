"""Modules of snnTorch, Norse, SpikingJelly, sinabs and SLAYER beside the nodes they become.

They run in processes of their own, as most are not installed in the environment of the tests:
`make peers` fetches them into a folder. What is compared stands in tests/converters/peers.
"""

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PEERS = ROOT / ".peers"
HERE = Path(__file__).parent / "peers"
LIBRARIES = ("snntorch", "norse", "spikingjelly", "sinabs")


def check(files: list[str], paths: list[Path]) -> subprocess.CompletedProcess[str]:
    """Run pytest on files of the folder beside this one, with nothing else on its path."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider",
         "-o", "filterwarnings=default", *(str(HERE / name) for name in files)],
        capture_output=True, text=True, timeout=280, check=False, cwd=ROOT,
        env={
            **os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1",
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
        },
    )  # fmt: skip


def test_modules_of_spiking_libraries_and_their_nodes_agree():
    missing = [name for name in LIBRARIES if not (PEERS / name).is_dir()]
    if missing:
        pytest.skip(f"{', '.join(missing)} NOT COMPARED: not in .peers; run 'make peers'")
    files = [f"check_{name}.py" for name in (*LIBRARIES, "states", "from_torch", "space")]
    done = check(files, [ROOT / "tests", PEERS])
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_blocks_of_slayer_and_their_nodes_agree():
    try:
        metadata.version("lava-dl")
    except metadata.PackageNotFoundError:
        pytest.skip("SLAYER NOT COMPARED: lava-dl is not installed")
    done = check(["check_slayer.py"], [ROOT / "tests"])
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_no_library_is_imported_to_look_for_its_classes():
    code = (
        "import sys; from neurossm_converters.formats.torch.foreign import foreign_converters as f;"
        "assert f() == {}, f();"
        "names = {m.split('.')[0] for m in sys.modules};"
        "print(sorted(names & {'snntorch', 'norse', 'spikingjelly', 'sinabs', 'lava'}))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                           timeout=100, check=True)  # fmt: skip
    assert found.stdout.strip() == "[]"
