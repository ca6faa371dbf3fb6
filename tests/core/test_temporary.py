"""Temporary folders after every kind of end, with real processes."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

from neurossm import files, temporary
from neurossm.errors import InputError, TargetError
from neurossm.temporary import temporary_folder

# a run with a child that forks another
RUN = """
import subprocess, sys, time
from neurossm.temporary import temporary_folder

CHILD = '''
import os, sys, time
os.fork()
open(sys.argv[1] + "/" + str(os.getpid()), "w").close()
time.sleep(99)
'''
with temporary_folder("test") as folder:
    command = [sys.executable, "-c", CHILD, str(folder.path)]
    child = subprocess.Popen(command, start_new_session=True)
    with folder.ending(child):
        while len(list(folder.path.glob("[0-9]*"))) < 2:
            time.sleep(0.01)
        print(folder._keeper.pid, *(path.name for path in folder.path.glob("[0-9]*")), flush=True)
        END
"""
LITTLE_ROOM = (  # a temporary folder of its own, of 64 KiB
    "unshare", "--user", "--map-root-user", "--mount", "sh", "-c",
    'mount -t tmpfs -o size=64k tmpfs "$1" && shift && exec "$@"', "sh",
)  # fmt: skip


def started(place: Path, end: str) -> tuple[subprocess.Popen[str], list[psutil.Process]]:
    """Start a run; return it with its keeper and the two processes that it ends."""
    run = subprocess.Popen(
        [sys.executable, "-c", RUN.replace("END", end)], stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True, env={**os.environ, "TMPDIR": str(place)},
    )  # fmt: skip
    assert run.stdout is not None
    with run.stdout as said:
        return run, [psutil.Process(int(pid)) for pid in said.readline().split()]


def gone(place: Path, processes: list[psutil.Process], seconds: float = 20) -> bool:
    """Wait until nothing is left."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        living = [p for p in processes if p.is_running() and p.status() != psutil.STATUS_ZOMBIE]
        if not living and not list(place.iterdir()):
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(
    ("end", "number", "status"),
    [
        ("pass", None, 0),
        ("1 / 0", None, 1),
        ("time.sleep(99)", signal.SIGINT, -signal.SIGINT),
        ("time.sleep(99)", signal.SIGTERM, -signal.SIGTERM),
        ("time.sleep(99)", signal.SIGKILL, -signal.SIGKILL),
    ],
    ids=["normal", "error", "SIGINT", "SIGTERM", "SIGKILL"],
)
def test_nothing_is_left(tmp_path, end, number, status):
    run, processes = started(tmp_path, end)
    if number:
        run.send_signal(number)
    assert run.wait(timeout=20) == status
    assert len(processes) == 3 and gone(tmp_path, processes)


def test_where_even_the_keeper_was_killed_the_next_run_cleans_up(tmp_path, monkeypatch):
    run, (beside, *children) = started(tmp_path, "time.sleep(99)")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (left,) = tmp_path.iterdir()
    with temporary_folder("test") as other:  # one that is used stays
        assert set(tmp_path.iterdir()) == {left, other.path}
    beside.kill()
    run.kill()
    run.wait()
    for child in children:
        child.kill()
    mine = [tmp_path / name for name in ("neurossm-lava-runs2026", "neurossm-results", "pymp-12")]
    for path in mine:
        path.mkdir()
        (path / "numbers.csv").touch()
    assert left.exists()
    with temporary_folder("test") as other:
        assert set(tmp_path.iterdir()) == {*mine, other.path}
    assert set(tmp_path.iterdir()) == set(mine)


def test_what_is_written_while_it_is_removed_goes_too(tmp_path):
    writer = """
import os, sys, time
for number in range(10**6):
    os.mkdir(f"{sys.argv[1]}/{number}")
    time.sleep(0.001)
"""
    folder = tmp_path / "neurossm-test-12345678"
    folder.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", writer, str(folder)], stderr=subprocess.DEVNULL
    ) as process:
        while not (folder / "9").exists():
            time.sleep(0.01)
        command = [sys.executable, "-I", "-S", temporary.keeper.__file__, str(folder)]
        assert subprocess.run(command, stdin=subprocess.DEVNULL, timeout=20).returncode == 0
        process.kill()
    assert not folder.exists()


def test_what_its_owner_was_killed_while_removing_goes_too(tmp_path):
    folder, half = (tmp_path / f"neurossm-test-12345678{end}" for end in ("", ".gone"))
    (half / "rest").mkdir(parents=True)  # the owner had renamed it, and removed some of it
    command = [sys.executable, "-I", "-S", temporary.keeper.__file__, str(folder)]
    assert subprocess.run(command, stdin=subprocess.DEVNULL, timeout=20).returncode == 0
    assert not list(tmp_path.iterdir())


FILL = """
from neurossm.errors import NeurossmError
from neurossm.temporary import temporary_folder
try:
    with temporary_folder("test") as folder, folder.filling():
        (folder.path / "large").write_bytes(bytes(10**5))
except NeurossmError as error:
    print(error)
"""


def test_a_full_one_is_named_with_the_remedy(tmp_path):
    little = [*LITTLE_ROOM, str(tmp_path)]
    if shutil.which("unshare") is None or subprocess.run([*little, "true"]).returncode:
        pytest.skip("no private mount namespace here: no small disk can be made")
    done = subprocess.run(
        [*little, sys.executable, "-c", FILL], capture_output=True, text=True, timeout=60,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.stdout == (
        f"temporary folder {tmp_path}: expected one that can be written, got No space left on"
        " device; free some space there, or name a folder that has some in the"
        " environment variable TMPDIR\n"
    ), done.stderr


def test_what_cannot_be_written_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    said = r"^temporary folder .*/none: .*No such file.*TMPDIR$"
    with pytest.raises(TargetError, match=said), temporary_folder("test"):
        pass
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(tempfile, "_candidate_tempdir_list", lambda: ["/nowhere"])
    said = r"^temporary folder: .*'/nowhere'.*TMPDIR$"
    with pytest.raises(TargetError, match=said), temporary_folder("test"):
        pass


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (InputError("here", expected="less"), "here: expected less"),
        (OSError(errno.EIO, "broken"), "[Errno 5] broken"),
        (OSError("9 requested and 8 written"), "temporary folder {}: expected one that can be "),
        (OSError(errno.EDQUOT, "full"), "temporary folder {}: expected one that can be written, "),
        (
            files.unwritable("x", "", "no"),
            "temporary folder {}: expected one that can be written, ",
        ),
    ],
)
def test_only_errors_of_room_are_named(tmp_path, monkeypatch, error, said):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with (
        pytest.raises((TargetError, type(error))) as caught,
        temporary_folder("test") as folder,
        folder.filling(),
    ):
        raise error
    assert str(caught.value).startswith(said.format(tmp_path))
    assert not list(tmp_path.iterdir())
