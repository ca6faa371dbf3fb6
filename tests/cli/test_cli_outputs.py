"""Files that commands write: refused before the work is done, never half written, no input lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from neurossm import store
from neurossm.errors import InputError
from neurossm.store import check_output, write_text

DATA = ("--data", "digits:test:2")


@pytest.mark.parametrize(
    "arguments",
    [
        ("place", "{graph}", "--svg", "{graph}"),
        ("show", "{graph}", "--svg", "{graph}"),
        ("profile", "{graph}", *DATA, "--html", "{graph}"),
        ("profile", "{graph}", *DATA, "--neurobench", "{graph}"),
        ("profile", "{graph}", *DATA, "--html", "{new}", "--neurobench", "{new}"),
        ("run", "{graph}", *DATA, "--trace", "{graph}"),
        ("quantize", "{graph}", "--calibrate", "digits:train:2", "-o", "{graph}"),
    ],
    ids=lambda a: f"{a[0]} {a[-2]}",
)
def test_no_command_overwrites_what_it_reads(neurossm, files, tmp_path, arguments):
    graph, link = tmp_path / "a graph.nssm", tmp_path / "link"
    graph.write_bytes(files.integer.read_bytes())
    link.symlink_to(graph)
    for written in (graph, link):
        # the last argument is written, by its own name or through a link
        named = [a.format(graph=graph, new=tmp_path / "new") for a in arguments[:-1]]
        last = arguments[-1].format(graph=written, new=tmp_path / "new")
        ended = neurossm(*named, last)
        assert ended.status == 2 and ended.err.count("\n") == 1
        assert "expected a file of its own" in ended.err and "another name" in ended.err
    assert graph.read_bytes() == files.integer.read_bytes()
    assert sorted(tmp_path.iterdir()) == [graph, link]


@pytest.mark.parametrize("option", ["--html", "--neurobench"])
def test_a_place_that_cannot_be_written_is_refused_before_the_data_are_read(
    neurossm, files, tmp_path, option
):
    # data that do not exist would be refused first, were they read first
    given = ("profile", files.integer, "--data", "none:such", option)
    ended = neurossm(*given, tmp_path / "no" / "file")
    assert ended.status == 2 and ended.err.startswith(f"neurossm: {option} ")
    assert "no folder" in ended.err
    ended = neurossm(*given, tmp_path)
    assert ended.status == 2 and "expected a file that can be written, got a folder" in ended.err


def test_a_full_disk_leaves_the_old_file_whole(tmp_path, monkeypatch):
    file = tmp_path / "report.html"
    write_text(file, "old")

    def full(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(InputError, match=r"--html .*expected a file that can be written, got No"):
        write_text(file, "new", "--html")
    assert file.read_text() == "old" and list(tmp_path.iterdir()) == [file]


def test_what_is_no_regular_file_is_written_to_as_it_is(tmp_path):
    write_text("/dev/null", "gone")
    assert not Path("/dev/null").is_file()
    link, target = tmp_path / "link", tmp_path / "target"
    link.symlink_to(target)
    write_text(link, "through")
    assert link.is_symlink() and target.read_text() == "through"
    for odd in ("a\0b", str(tmp_path / "no" / "x")):
        with pytest.raises(InputError, match="a file that can be written"):
            write_text(odd, "x")
        with pytest.raises(InputError, match="a file that can be written"):
            check_output("-o", Path(odd))


def test_a_rate_without_end_is_refused_on_a_chip_whose_times_are_not_known(neurossm, files):
    for rate in ("inf", "nan", "1e-320"):
        ended = neurossm("profile", files.integer, *DATA, "--hardware", "loihi1",
                         "--steps-per-second", rate, "--json")  # fmt: skip
        assert ended.status == 2 and ended.err.count("\n") == 1
        assert "expected 1e-09 or more, and finite" in ended.document["error"]


def test_a_recipe_with_norms_behind_the_sum_is_planned_by_the_remedy(neurossm):
    given = ("place", "--like", "binary-s4d-image")
    ended = neurossm(*given)
    assert ended.status == 2 and ended.err.count("\n") == 1
    remedy = ended.err.split("plan it with ")[1].split()
    assert neurossm(*given, *remedy, "--json").status == 0


def test_export_takes_the_step_from_the_user(neurossm, tmp_path):
    for said, expected in (((), None), (("--dt", "0.002"), 0.002)):
        out = tmp_path / f"{len(said)}.nssm"
        done = neurossm("export", "binary-s4d-digits", "-o", out, "--nir", "off", *said)
        assert done.status == 0, done.err
        assert store.load(out).dt == expected
    refused = neurossm("export", "binary-s4d-digits", "-o", tmp_path / "n.nssm", "--dt", "0")
    assert refused.status == 2 and "expected a positive time in seconds, got 0.0" in refused.err
