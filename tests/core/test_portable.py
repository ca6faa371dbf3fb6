"""What the product does where the system lacks what Linux has."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time

import pytest

from neurossm import keeper, portable, temporary
from neurossm.engine.cores import usable_cores


def sleeper(seconds: float, status: int = 0) -> subprocess.Popen[bytes]:
    code = f"import sys, time; time.sleep({seconds}); sys.exit({status})"
    return subprocess.Popen([sys.executable, "-I", "-S", "-c", code], start_new_session=True)


@pytest.mark.parametrize("there", [True, False], ids=["waitid", "no waitid"])
def test_a_child_is_watched_with_and_without_waitid(monkeypatch, there):
    if not there:  # macOS before Python 3.13
        monkeypatch.delattr(os, "waitid")
    child = sleeper(60)
    assert not portable.ended(child)
    child.kill()
    assert portable.ended(child, wait=True)
    assert portable.ended(child)
    assert child.wait() == -signal.SIGKILL
    failing = sleeper(0, 7)
    assert portable.ended(failing, wait=True)
    assert failing.wait() == 7


def test_waitid_leaves_the_process_id_in_use():
    child = sleeper(0)
    assert portable.ended(child, wait=True)
    os.kill(child.pid, 0)  # raises where the id is free
    child.wait()


def test_a_lock_holds_until_it_is_closed(tmp_path):
    first, second = (os.open(tmp_path, os.O_RDONLY) for _ in range(2))
    portable.lock(first, wait=True)
    with pytest.raises(OSError):
        portable.lock(second, wait=False)
    os.close(first)
    portable.lock(second, wait=False)
    os.close(second)


def test_a_temporary_folder_comes_and_goes_without_locks(monkeypatch, tmp_path):
    monkeypatch.setattr(portable, "fcntl", None)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with temporary.temporary_folder("test") as folder:
        # another run must not take it for one that was abandoned
        temporary._remove_abandoned(tmp_path)
        assert folder.path.is_dir()
    assert list(tmp_path.iterdir()) == []
    assert fcntl.LOCK_EX  # this system has locks: the test hid them


def test_the_temporary_folder_may_lie_behind_a_link(monkeypatch, tmp_path):
    (tmp_path / "private").mkdir()
    (tmp_path / "var").symlink_to(tmp_path / "private")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "var"))
    with temporary.temporary_folder("test") as folder:
        assert (tmp_path / "private" / folder.path.name).is_dir()
    assert list((tmp_path / "private").iterdir()) == []


def test_a_group_that_only_waits_to_be_fetched_has_ended(monkeypatch):
    def of_macos(group, number):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "killpg", of_macos)
    begun = time.monotonic()
    keeper.end_group(99999)
    assert time.monotonic() - begun < keeper.END_LIMIT


def test_cores_without_an_affinity(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert usable_cores() == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert usable_cores() == 1


def test_windows_is_said_in_one_line(monkeypatch):
    assert portable.unsupported() == ""
    monkeypatch.setattr(sys, "platform", "darwin")
    assert portable.unsupported() == ""
    monkeypatch.setattr(sys, "platform", "win32")
    assert "WSL" in portable.unsupported() and "\n" not in portable.unsupported()


def test_the_commands_import_without_modules_of_posix():
    code = """
import sys
sys.modules.update(fcntl=None, resource=None)  # an import of them fails
import os
for name in ("waitid", "sched_getaffinity", "killpg"):
    delattr(os, name)
import neurossm.temporary, neurossm_cli.app
import neurossm_cli.doctor, neurossm_converters.backends.lava.child
from neurossm_converters.formats.hdf5 import child
child.limit_memory()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
