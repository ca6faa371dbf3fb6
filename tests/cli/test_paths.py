"""One guard for all paths of all commands, found by looking at the commands themselves."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
import typer

from neurossm.errors import InputError
from neurossm_cli.app import app
from neurossm_cli.presentation.paths import (
    READS,
    WRITES,
    Commands,
    Reads,
    Writes,
    guarded,
    options_of,
)

# Options of type text that name no file that an output could be. A new one is either marked
# in its command or belongs here.
NO_FILES = {
    "activations", "checkpoints", "compare", "convention", "converters", "dask", "data_dir",
    "engine", "format", "fuse", "input", "layers", "layout", "loihi_gen", "method", "models",
    "name", "nir", "normalize", "poles", "processes", "range_of", "ranges", "readout", "reset",
    "scope", "set_", "slurm_board", "slurm_partition", "ssm_mapping", "state", "target", "task",
    "tau_unit", "weights",
}  # fmt: skip
RUN = ("recipe.toml", "weights.safetensors", "log.jsonl", "last/state.safetensors", "test.json")


def commands() -> dict[str, tuple[Any, Any]]:
    """Name of each command to what runs it and what typer made of it; groups are walked."""
    found: dict[str, tuple[Any, Any]] = {}

    def walk(group: Any, before: str) -> None:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                walk(command, f"{before}{name} ")
            else:
                found[before + name] = (command.callback, command)

    walk(typer.main.get_command(app), "")
    return found


COMMANDS = commands()


def roles(name: str) -> dict[str, Reads | Writes]:
    return {option.parameter: option.role for option in options_of(COMMANDS[name][0])}


def pairs() -> Iterator[tuple[str, str, str]]:
    """All outputs of all commands, each with every other option that names files."""
    for name in COMMANDS:
        found = roles(name)
        for output in (key for key, role in found.items() if isinstance(role, Writes)):
            for other, role in found.items():
                if other != output and (isinstance(role, Reads) or other > output):
                    yield name, output, other


PAIRS = list(pairs())


def test_the_walk_finds_the_commands():
    assert {"import", "export", "train", "place", "profile", "sweep", "data fetch"} <= set(COMMANDS)
    assert len(PAIRS) > 25
    assert ("place", "svg", "hardware") in PAIRS and ("profile", "html", "neurobench") in PAIRS


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_that_could_name_a_file_is_marked(name):
    marked = roles(name)
    for parameter in inspect.signature(COMMANDS[name][0], eval_str=True).parameters.values():
        if "str" in str(parameter.annotation) and parameter.name not in marked:
            assert parameter.name in NO_FILES, f"{name}: does {parameter.name} name a file?"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_runs_behind_the_guard(name):
    callback, around = COMMANDS[name][0], []
    while hasattr(callback, "__wrapped__"):
        around.append(callback.__code__)
        callback = callback.__wrapped__
    assert guarded(callback).__code__ in around


def test_a_command_that_forgets_is_an_error_at_once():
    def forgets(file: Annotated[Path | None, typer.Option()] = None) -> None: ...

    def marks(file: Annotated[Path | None, typer.Option(), WRITES] = None) -> None: ...

    with pytest.raises(TypeError, match="forgets: file is a path"):
        Commands().command()(forgets)
    Commands().command()(marks)


def run_folder(folder: Path) -> Path:
    """Files of a run; the guard looks at names alone."""
    for name in RUN:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"{name} is dear")
    return folder


def line(name: str, given: dict[str, object]) -> list[object]:
    """The command line with these options; what else is required gets a text that is no file."""
    words: list[object] = name.split()
    arguments: list[object] = []
    for parameter in COMMANDS[name][1].params:
        nothing = "0.5" if parameter.name == "sparsity" else "none:such"
        value = given.get(parameter.name, nothing if parameter.required else None)
        if value is None:
            continue
        if parameter.param_type_name == "argument":
            arguments.append(value)
        else:
            words += [parameter.opts[0], value]
    return words + arguments


def content(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.parametrize(("name", "output", "other"), PAIRS, ids=lambda part: part)
@pytest.mark.parametrize("way", ["same", "symbolic link", "hard link", "another spelling"])
def test_no_command_overwrites_what_it_reads_or_writes(
    neurossm, tmp_path, name, output, other, way
):
    found = roles(name)
    folder = run_folder(tmp_path / "run")
    file = folder / "recipe.toml"
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "recipe.toml"
    named = {"same": file, "another spelling": folder / ".." / "run" / "recipe.toml"}.get(way, link)
    if way == "symbolic link":
        link.symlink_to(file)
    elif way == "hard link":
        os.link(file, link)
    writes = found[output]
    assert isinstance(writes, Writes)
    written: object = named
    files = [Path()] if writes.files is None else list(writes.files(Path(), {"resume": False}))
    if files != [Path()]:  # a folder in which one of the files is what the other names
        names = [path.name for path in files]
        if not names:
            pytest.skip("a new folder: refused where there is something")
        written = named.parent
        if file.name not in names:
            file.rename(file := file.with_name(names[0]))
            if link.is_symlink() or link.exists():
                link.unlink()
                (link.with_name(names[0]).symlink_to if way == "symbolic link"
                 else link.with_name(names[0]).hardlink_to)(file)  # fmt: skip
    runs = ("run", "model", "checkpoint", "finetune_from", *(["source"] * (name == "prune")))
    of_run = isinstance(found[other], Reads) and other in runs
    if of_run and file.name not in RUN:
        pytest.skip(f"a run has no {file.name}")
    before = content(tmp_path)
    ended = neurossm(*line(name, {output: written, other: folder if of_run else file}))
    assert ended.status == 2, ended
    assert "expected a file of its own" in ended.err and ended.err.count("\n") == 1
    assert "give it another name" in ended.err
    assert content(tmp_path) == before


@pytest.mark.parametrize("file", RUN)
def test_no_file_of_a_run_is_overwritten(neurossm, files, file):
    before = content(files.run)
    ended = neurossm("export", files.run, "-o", files.run / file)
    assert ended.status == 2 and "expected a file of its own" in ended.err
    assert content(files.run) == before
    assert neurossm("export", files.run, "-o", files.run / "mine.nssm").status == 0
    assert neurossm("export", files.run, "-o", files.run / "mine.nssm").status == 0
    (files.run / "mine.nssm").unlink()


def test_data_that_are_read_are_not_overwritten(neurossm, files, tmp_path):
    from neurossm_models.data.sets import mnist

    (tmp_path / "raw").mkdir()
    for name in mnist.CHECKSUMS:
        (tmp_path / "raw" / name).write_text("dear")
    for name in mnist.CHECKSUMS:
        ended = neurossm("run", files.integer, "--data", "mnist:test:1", "--data-dir", tmp_path,
                         "--trace", tmp_path / "raw" / name)  # fmt: skip
        assert ended.status == 2 and "expected a file of its own" in ended.err
        assert (tmp_path / "raw" / name).read_text() == "dear"


GRAPHS = {("export", "output"), ("golden", "output"), ("import", "output"), ("quantize", "output"),
          ("run", "trace")}  # fmt: skip


def test_what_writes_a_graph_or_a_trace_is_marked():
    assert {(name, key) for name in COMMANDS for key, role in roles(name).items()
            if isinstance(role, Writes) and role.ours} == GRAPHS  # fmt: skip


@pytest.mark.parametrize(("name", "option"), sorted(GRAPHS), ids=lambda part: part)
@pytest.mark.parametrize("content_of", ["numpy", "text", "hdf5", "nir", "part of a graph"])
def test_a_graph_replaces_no_file_of_another_kind(
    neurossm, files, tmp_path, name, option, content_of
):
    import h5py
    import numpy as np

    mine = tmp_path / "mine.npz"
    if content_of == "numpy":
        np.savez(mine, inputs=np.zeros((2, 3, 1)), labels=[0, 1])
    elif content_of == "text":
        mine.write_text("a,b\n1,2\n")
    elif content_of == "part of a graph":
        mine.write_bytes(files.floating.read_bytes()[:3000])
    else:
        with h5py.File(mine, "w") as file:
            file.create_group("node" if content_of == "nir" else "inputs")
    before = content(tmp_path)
    ended = neurossm(*line(name, {option: mine}))
    assert ended.status == 2 and ended.err.count("\n") == 1, ended
    label = "--trace" if option == "trace" else "-o"
    assert f"{label} {mine}: expected a new name, or a .nssm file that may be replaced" in ended.err
    assert ended.err.endswith("; give another name\n")
    assert content(tmp_path) == before


def test_a_graph_replaces_a_graph_a_trace_and_an_empty_file(neurossm, files, tmp_path):
    file = tmp_path / "any.nssm"
    file.touch()
    run = ("run", files.integer, "--data", "digits:test:1", "--trace", file)
    export = ("export", files.run, "-o", file)
    for command in (export, run, export, export):
        ended = neurossm(*command)
        assert ended.status == 0, ended
    assert neurossm("show", file).status == 0


OTHERS = {(name, key) for name in COMMANDS for key, role in roles(name).items()
          if isinstance(role, Writes) and not role.ours and role.files is None}  # fmt: skip


@pytest.mark.parametrize(("name", "option"), sorted(OTHERS), ids=lambda part: part)
def test_no_file_of_another_kind_replaces_a_graph(neurossm, files, tmp_path, name, option):
    assert {("show", "svg"), ("run", "predictions")} <= OTHERS
    mine = tmp_path / "mine.csv"
    mine.write_bytes(files.floating.read_bytes())
    needed = {"output": tmp_path / "new.nssm"} if "output" in roles(name) else {}
    ended = neurossm(*line(name, {**needed, option: mine}))
    assert ended.status == 2 and ended.err.count("\n") == 1, ended
    assert "got a graph or a trace; give another name" in ended.err
    assert mine.read_bytes() == files.floating.read_bytes()


def test_what_loses_nothing_may_be_named_twice(neurossm, files):
    ended = neurossm("profile", files.integer, "--data", "digits:test:1", "--html", "/dev/null",
                     "--neurobench", "/dev/null")  # fmt: skip
    assert ended.status == 0 and not Path("/dev/null").is_file()


@pytest.mark.parametrize("command", [("export", "{run}"), ("run", "{integer}", "--data",
                                                           "digits:test:1")])  # fmt: skip
def test_a_device_is_not_replaced_by_a_file(neurossm, files, tmp_path, command):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    option = "-o" if command[0] == "export" else "--trace"
    given = [part.format(run=files.run, integer=files.integer) for part in command]
    ended = neurossm(*given, option, pipe)
    assert ended.status == 2 and "got a device or a pipe" in ended.err
    assert pipe.is_fifo() and list(tmp_path.iterdir()) == [pipe]


def test_a_link_as_output_stays_a_link(neurossm, files, tmp_path):
    target, link = tmp_path / "target.nssm", tmp_path / "link.nssm"
    link.symlink_to(target)
    assert neurossm("export", files.run, "-o", link).status == 0
    assert link.is_symlink() and target.stat().st_size


def test_the_guard_compares_files_and_not_names(tmp_path):
    from neurossm_cli.presentation.paths import check_paths

    def command(source: Annotated[Path, typer.Argument(), READS],
                out: Annotated[Path, typer.Option(), WRITES]) -> None: ...  # fmt: skip

    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("1")
    two.write_text("1")
    check_paths(options_of(command), {"source": one, "out": two})
    check_paths(options_of(command), {"source": tmp_path / "none", "out": two})
    with pytest.raises(InputError, match="a file of its own"):
        check_paths(options_of(command), {"source": one, "out": one})


def test_predictions_replace_predictions_and_no_data_of_the_user(neurossm, files, tmp_path):
    run = ("run", files.integer, "--data", "digits:test:2", "--predictions")
    for name in ("p.csv", "p.npz"):
        path = tmp_path / name
        path.touch()
        for _ in range(2):  # where there is none, and where there are some
            assert neurossm(*run, path).status == 0 and path.stat().st_size
    mine = {tmp_path / "a.csv": b"sample,x\n1,2\n", tmp_path / "b.csv": b"sample,label,score a\n",
            tmp_path / "c.npz": b"", tmp_path / "d.npz": b"no zip"}  # fmt: skip
    np.savez(tmp_path / "c.npz", inputs=np.ones((2, 64, 1)), labels=[0, 1])
    mine[tmp_path / "c.npz"] = (tmp_path / "c.npz").read_bytes()
    for path, held in mine.items():
        path.write_bytes(held)
        ended = neurossm(*run, path)
        assert ended.status == 2 and not ended.out and ended.err.endswith(
            f"--predictions {path}: expected a new name, or predictions that may be replaced,"
            " got another file; give it another name\n"
        )  # fmt: skip
        assert path.read_bytes() == held
