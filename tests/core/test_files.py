"""Files that are whole or not there, whatever operation or byte the disk fails at."""

from __future__ import annotations

import errno
import io
import json
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np
import pytest
from failing_disk import Snapshots, disk, tree

from neurossm import store
from neurossm.errors import InputError
from neurossm.files import append, replace_file, replacing
from neurossm.fixed import Fixed, Quantized
from neurossm.graph import Graph
from neurossm.nodes import Affine, Input, Output
from neurossm.report.sweep_plot import draw_sweep
from neurossm.trace import Trace
from neurossm_workflows.sweep_table import SweepFile, SweepRow


def graph(size: int) -> Graph:
    """Weights that do not compress: the file has many writes."""
    weight = np.random.default_rng(size).integers(-127, 128, (size, size))
    return Graph(
        {
            "x": Input(channels=size, out=Fixed(8, 0)),
            "mix": Affine(weight=Quantized(weight, 0, 8),
                          bias=Quantized(np.zeros(size, np.int64), 0, 24), out=Fixed(24, 0)),
            "out": Output(channels=size, out=Fixed(24, 0)),
        },
        (("x", "mix"), ("mix", "out")),
    )  # fmt: skip


def trace(size: int) -> Trace:
    values = np.random.default_rng(size).integers(-999, 999, (1, size, 40))
    return Trace("fast", {"x": values}, 1, size)


ROW = {"graph": "g", "data": "d", "calibrate": "c", "hardware": "h", "samples": 1, "accuracy": 0.5,
       "energy_low_j": 1.0, "energy_high_j": 2.0, "poles": 8, "weights": 8, "state": 24,
       "activations": 24}  # fmt: skip
WRITERS: dict[str, Callable[[Path, int], None]] = {
    "graph.nssm": lambda path, size: store.save(path, graph(size)),
    "nir.nssm": lambda path, size: store.save(path, graph(size), before=foreign),
    "trace.nssm": lambda path, size: store.save_trace(path, trace(size)),
    "report.html": lambda path, size: store.write_text(path, "é" * size, "--html"),
    "weights": lambda path, size: replace_file(path, bytes(size)),
    "plot.svg": lambda path, size: draw_sweep(
        path, [{**ROW, "poles": 8 + k} for k in range(size // 40)], "a sweep"
    ),
}


def foreign(path: Path) -> None:
    """Write what comes first in the file, as another library does."""
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        file["node"] = np.random.default_rng(0).integers(0, 255, 9000)
    replace_file(path, content.getvalue())


@contextmanager
def largest(size: int) -> Iterator[None]:
    """Let every write beyond so many bytes of a file fail, in C libraries too."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("name", WRITERS)
def test_a_write_that_fails_anywhere_leaves_the_old_file_or_the_new_one(tmp_path, name):
    write, file = WRITERS[name], tmp_path / name
    write(file, 80)
    old = file.read_bytes()
    with disk() as counted:
        write(file, 120)
    assert counted.count >= 3
    refused = 0
    for n in range(counted.count):
        write(file, 80)
        old = file.read_bytes()
        try:
            with disk(full_from=n):
                write(file, 120)
        except InputError as error:
            refused += 1
            assert str(file) in error.where and error.got == os.strerror(errno.ENOSPC)
            assert error.remedy == f"free space in {tmp_path}"
            assert file.read_bytes() == old
        assert list(tmp_path.iterdir()) == [file]
    assert refused >= 3


@pytest.mark.parametrize("name", WRITERS)
def test_a_disk_that_is_full_after_any_number_of_bytes(tmp_path, name):
    write, file = WRITERS[name], tmp_path / name
    write(file, 120)
    size = file.stat().st_size
    write(file, 80)
    old = file.read_bytes()
    for room in range(0, size - 99, size // (6 if name == "plot.svg" else 80)):
        with largest(room), pytest.raises(InputError) as caught:
            write(file, 120)
        assert caught.value.got == os.strerror(errno.EFBIG), caught.value
        assert caught.value.remedy == f"free space in {tmp_path}"
        assert file.read_bytes() == old
        assert list(tmp_path.iterdir()) == [file]
    with largest(2 * size):
        write(file, 120)
    assert file.read_bytes() != old


@pytest.mark.parametrize("name", WRITERS)
def test_a_kill_anywhere_leaves_the_old_file_or_the_new_one(tmp_path, name):
    write, file = WRITERS[name], tmp_path / "here" / name
    file.parent.mkdir()
    write(file, 80)
    old = file.read_bytes()
    snapshots = Snapshots(file.parent, tmp_path / "killed")
    with disk(watch=snapshots.take):
        write(file, 120)
    snapshots.take()
    new = file.read_bytes()
    found = [(killed / name).read_bytes() for killed in snapshots.taken]
    assert set(found) == {old, new} and found[0] == old and found[-1] == new


def test_an_error_inside_the_block_leaves_nothing(tmp_path):
    file = tmp_path / "file"
    for error in (ValueError("not of the disk"), KeyboardInterrupt()):
        with pytest.raises(type(error)), replacing(file) as part:
            part.write_text("half")
            raise error
        assert not list(tmp_path.iterdir())


def test_what_could_not_be_added_is_taken_back(tmp_path):
    file = tmp_path / "log"
    append(file, b"one\n")
    with disk() as counted:
        append(tmp_path / "other", b"two\n")
    assert counted.count == 3
    for n in range(counted.count):
        with pytest.raises(InputError, match=r"log: .*No space left"), disk(full_from=n):
            append(file, b"two\n")
        assert file.read_bytes() == b"one\n"
    with (
        largest(6),
        pytest.raises(InputError, match=r"File too large; free space in .*, then rest"),
    ):
        append(file, b"two\n", remedy="rest")
    assert file.read_bytes() == b"one\n"


# -- the table of a sweep ------------------------------------------------------


def rows(path: Path, count: int) -> None:
    """What a sweep of so many points does: goes on where it was."""
    table = SweepFile(path)
    for k in range(count):
        row = SweepRow("g", "d", "c", "h", 8 + k, 8, 24, 24, 10, accuracy=k / 7, problem="a, b")
        if table.find(row) is None:
            table.add(row)


def test_a_sweep_goes_on_after_a_failure_at_every_operation(tmp_path):
    rows(tmp_path / "straight.csv", 4)
    straight = (tmp_path / "straight.csv").read_bytes()
    with disk() as counted:
        rows(tmp_path / "counted.csv", 4)
    assert counted.count >= 15
    for n in range(counted.count):
        path = tmp_path / f"{n}.csv"
        said = rf"-o .*{n}.csv: .*No space left.*free space in"
        with disk(full_from=n), pytest.raises(InputError, match=said):
            rows(path, 4)
        rows(path, 4)
        assert path.read_bytes() == straight


def test_a_sweep_goes_on_after_a_kill_at_every_operation(tmp_path):
    folder = tmp_path / "here"
    folder.mkdir()
    snapshots = Snapshots(folder, tmp_path / "killed")
    with disk(watch=snapshots.take):
        rows(folder / "s.csv", 4)
    straight = (folder / "s.csv").read_bytes()
    assert len(snapshots.taken) >= 9
    for killed in snapshots.taken:
        # once more, killed while the torn line is taken out
        again = Snapshots(killed, killed.with_name(f"{killed.name} again"))
        with disk(watch=again.take):
            rows(killed / "s.csv", 4)
        assert (killed / "s.csv").read_bytes() == straight
        for twice in again.taken:
            rows(twice / "s.csv", 4)
            assert (twice / "s.csv").read_bytes() == straight


def test_results_are_the_old_or_the_new_ones(tmp_path):
    from neurossm_models.train.results import END, START, Result, write_results, write_table

    def write(value: float) -> None:
        found = (Result("a", "t", value, value, 1, 1, (value,), 1.0, 1.0, 1.0, 1.0),)
        write_results(folder / "results.json", found)
        write_table(folder / "README.md", found)

    folder = tmp_path / "here"
    folder.mkdir()
    (folder / "README.md").write_text(f"{START}\n{END}\n")
    write(0.25)
    old = tree(folder)
    snapshots = Snapshots(folder, tmp_path / "killed")
    with disk(watch=snapshots.take) as counted:
        write(0.5)
    new = tree(folder)
    for killed in snapshots.taken:
        for name in old:
            assert tree(killed)[name] in (old[name], new[name])
    for n in range(counted.count):
        write(0.25)
        try:
            with disk(full_from=n):
                write(0.5)
        except InputError as error:
            assert error.got == "No space left on device"
        else:  # only the folder is not brought to the disk
            assert n == counted.count - 1
        assert tree(folder).keys() == old.keys()
        assert json.loads((folder / "results.json").read_text())[0]["accuracy"] in (0.25, 0.5)
