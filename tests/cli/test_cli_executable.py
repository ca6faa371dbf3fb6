"""The installed command in a process of its own: streams, status, speed of the help."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

NEUROSSM = Path(sysconfig.get_path("scripts")) / "neurossm"
HEAVY = ("torch", "lava", "numba", "numpy", "matplotlib", "scipy", "h5py", "nir", "sklearn")


def execute(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(NEUROSSM), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_help_takes_less_than_half_a_second_of_processor_time():
    # of the process, not of the clock: other work on the machine must not decide
    seconds = []
    for _ in range(7):
        before = os.times()
        helped = execute("--help")
        after = os.times()
        seconds.append(
            after.children_user + after.children_system
            - before.children_user - before.children_system
        )  # fmt: skip
        assert helped.returncode == 0 and helped.stdout.startswith("Usage: neurossm")
    assert min(seconds) < 0.5, seconds


def test_help_imports_nothing_heavy():
    program = f"""
import sys
from neurossm_cli import main
try:
    main(["--help"])
except SystemExit as ended:
    assert ended.code == 0
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stderr == "[]\n"


def test_good_failing_and_wrong_use(files, tmp_path):
    shown = execute("show", files.integer, "--json")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert json.loads(shown.stdout)["integer"] is True
    strict = execute("export", files.run, "-o", tmp_path / "m.nssm", "--nir", "strict")
    assert (strict.returncode, strict.stdout) == (1, "")
    assert strict.stderr.count("\n") == 1 and "blocks.0.mix.sigmoid" in strict.stderr
    wrong = execute("show", tmp_path / "none.nssm")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.count("\n") == 1 and "Traceback" not in wrong.stderr


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["table", "json"])
def test_a_reader_that_goes_away_hears_nothing_more(files, options):
    command = [str(NEUROSSM), "show", str(files.integer), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 141  # as a program that SIGPIPE ends
