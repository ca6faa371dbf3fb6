"""Modules of snnTorch, Norse, SpikingJelly, sinabs and SLAYER beside the nodes they become.

Each library runs in a process of its own, as none is installed in the environment of the tests:
`make peers` fetches them into a folder. What is compared stands in tests/converters/peers.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PEERS = ROOT / ".peers"
HERE = Path(__file__).parent / "peers"


@pytest.mark.parametrize("library", ["snntorch", "norse", "spikingjelly", "sinabs", "slayer"])
def test_its_own_modules_and_their_nodes_agree(library):
    needed = PEERS / ("" if library == "slayer" else library)
    if library != "slayer" and not needed.is_dir():
        pytest.skip(f"{library} IS NOT COMPARED: no {needed.relative_to(ROOT)}; run 'make peers'")
    paths = [str(ROOT / "tests"), *([] if library == "slayer" else [str(PEERS)])]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider",
         "-o", "filterwarnings=default", str(HERE / f"check_{library}.py")],
        capture_output=True, text=True, timeout=250, check=False, cwd=ROOT,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(paths)},
    )  # fmt: skip
    if library == "slayer" and "No module named 'lava" in done.stdout:
        pytest.skip("SLAYER IS NOT COMPARED: lava-dl is not installed")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


def test_no_library_is_imported_to_look_for_its_classes():
    code = (
        "import sys; from neurossm_converters.from_torch.foreign import foreign_converters as f;"
        "assert f() == {}, f();"
        "names = {m.split('.')[0] for m in sys.modules};"
        "print(sorted(names & {'snntorch', 'norse', 'spikingjelly', 'sinabs', 'lava'}))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                           timeout=100, check=True)  # fmt: skip
    assert found.stdout.strip() == "[]"
