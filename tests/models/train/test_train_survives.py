"""A run survives a full disk and a kill at every single operation: the same bits in the end."""

import json
import shutil
import sys
from pathlib import Path

import pytest
import torch
from failing_disk import Opened, Snapshots, disk, tree

from neurossm.errors import FormatError, InputError
from neurossm_models.train import publish, train
from neurossm_models.train.checkpoint import load_tensors, save_tensors

# 32 training sequences in 2 steps an epoch, 4 steps in all, a checkpoint after each
RECIPE = "binary-s4d-digits"
TINY = [
    "data.limit=48", "data.valid=16", "model.width=4", "model.state=4", "model.layers=1",
    "train.epochs=2", "train.batch=16", "train.save_every=1",
]  # fmt: skip
OPENED = Opened()


@pytest.fixture(scope="module")
def straight(tmp_path_factory):
    """Return the folder of a run that nothing happened to."""
    folder = tmp_path_factory.mktemp("runs") / "straight"
    assert train(RECIPE, TINY, folder).finished
    return folder


def finish(folder: Path) -> None:
    """Do what the messages say: go on, or start again where there is nothing to go on from."""
    torch.rand(7)
    try:
        result = train(RECIPE, TINY, folder, resume=True)
    except InputError as error:
        assert error.remedy == "train without --resume", error
        result = train(RECIPE, TINY, folder)
    assert result.finished


def assert_same(folder: Path, straight: Path) -> None:
    """All files are there, none is left over, and they hold the same bits but for the clock."""
    assert tree(folder).keys() == tree(straight).keys()
    for file in ("last/state.safetensors", "weights.safetensors"):
        (ours, about), (theirs, said) = load_tensors(folder / file), load_tensors(straight / file)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours)
        assert about.get("best") == said.get("best") and about.get("step") == said.get("step")
    for file in ("log.jsonl", "steps.jsonl"):
        assert rows(folder / file) == rows(straight / file)
    assert (folder / "recipe.toml").read_bytes() == (straight / "recipe.toml").read_bytes()


def rows(log: Path) -> list[dict]:
    found = [json.loads(line) for line in log.read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in found]


def test_a_full_disk_at_every_operation(straight, tmp_path, capsys):
    with disk() as counted:
        train(RECIPE, TINY, tmp_path / "counted")
    assert counted.count > 40
    for n in range(counted.count):
        folder = tmp_path / str(n)
        try:
            with disk(full_from=n):
                train(RECIPE, TINY, folder)
        except InputError as error:
            assert str(error).startswith(str(folder)), error  # it names the file
            assert error.got == "No space left on device"
            assert error.remedy.startswith(f"free space in {folder}")
            resumable = (folder / "last" / "state.safetensors").exists()
            assert error.remedy.endswith("--resume" if resumable else "start it again")
            assert not list(folder.rglob("*.part")) and not list(folder.rglob("*.tmp"))
        else:  # the directory is brought to the disk where that can be done
            assert tree(folder).keys() == tree(straight).keys()
        finish(folder)
        assert_same(folder, straight)
        shutil.rmtree(folder)
    assert "left out" not in capsys.readouterr().err  # what could not be added was taken back


def test_a_kill_at_every_operation(straight, tmp_path, capsys):
    folder = tmp_path / "run"
    snapshots = Snapshots(folder, tmp_path / "killed")
    with OPENED.below(folder) as past, disk(watch=snapshots.take):
        train(RECIPE, TINY, folder)
    assert past == [], "written past the disk that is watched"
    assert_same(folder, straight)
    assert len(snapshots.taken) > 30
    torn = 0
    for killed in snapshots.taken:
        left = tree(killed)
        torn += any(not text.endswith(b"\n") for name, text in left.items() if "jsonl" in name)
        finish(killed)
        assert_same(killed, straight)
    assert torn >= 4
    assert "half a line, left out" in capsys.readouterr().err


def test_a_run_goes_on_after_a_kill_while_it_was_put_in_order(straight, tmp_path):
    folder = tmp_path / "run"
    train(RECIPE, TINY, folder, stop_after=2)
    (folder / "weights.safetensors").unlink()
    for log in ("log.jsonl", "steps.jsonl"):
        (folder / log).write_bytes((folder / log).read_bytes()[:-9])
    snapshots = Snapshots(folder, tmp_path / "killed")
    with disk(watch=snapshots.take):
        train(RECIPE, TINY, folder, resume=True)
    assert_same(folder, straight)
    for killed in snapshots.taken:
        finish(killed)
        assert_same(killed, straight)


@pytest.mark.parametrize("log", ["log.jsonl", "steps.jsonl"])
def test_a_damaged_log_is_refused_and_the_remedy_works(straight, tmp_path, log):
    shutil.copytree(straight, tmp_path, dirs_exist_ok=True)
    lines = (tmp_path / log).read_text().splitlines(keepends=True)
    (tmp_path / log).write_text("".join(['{"step": 1, "lo\n', *lines]))
    with pytest.raises(FormatError, match=rf"{log} line 1: .*; take that line out") as caught:
        train(RECIPE, TINY, tmp_path, resume=True)
    assert "expected one JSON line" in str(caught.value)
    (tmp_path / log).write_text("".join(lines))
    assert train(RECIPE, TINY, tmp_path, resume=True).finished
    (tmp_path / log).write_bytes(b"\xff\n")
    with pytest.raises(FormatError, match=f"move {log} away"):
        train(RECIPE, TINY, tmp_path, resume=True)
    (tmp_path / log).unlink()
    assert train(RECIPE, TINY, tmp_path, resume=True).finished


def test_a_log_from_before_checkpoints_held_lines_is_read(straight, tmp_path):
    shutil.copytree(straight, tmp_path, dirs_exist_ok=True)
    state = tmp_path / "last" / "state.safetensors"
    tensors, meta = load_tensors(state)
    del meta["added"]
    save_tensors(state, tensors, meta)
    with (tmp_path / "steps.jsonl").open("a") as file:
        file.write('{"step": 5, "loss": 1.0}\n{"step": 6, "lo')  # written before its checkpoint
    assert train(RECIPE, TINY, tmp_path, resume=True).finished
    assert rows(tmp_path / "steps.jsonl") == rows(straight / "steps.jsonl")
    for wrong in ([], {"log.jsonl": 1}, {"log.jsonl": [1]}):
        save_tensors(state, tensors, {**meta, "added": wrong})
        with pytest.raises(FormatError, match="expected lines of logs"):
            train(RECIPE, TINY, tmp_path, resume=True)


def test_a_finished_run_with_a_torn_log_is_published_once_it_is_in_order(straight, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(straight, run)
    (run / "log.jsonl").write_bytes((run / "log.jsonl").read_bytes()[:-20])
    with pytest.raises(InputError, match="got 1 of 2 epochs; resume it to its end first"):
        publish(run, "tiny", into=tmp_path / "into")
    train(RECIPE, TINY, run, resume=True)
    publish(run, "tiny", into=tmp_path / "into")


@pytest.mark.parametrize("left", ["log.jsonl", "steps.jsonl", "weights.safetensors"])
def test_a_new_run_adds_to_nothing_that_an_older_one_left(straight, tmp_path, left):
    shutil.copy(straight / left, tmp_path / left)
    with pytest.raises(InputError, match=f"no run there yet, got {left}; .* move {left} away"):
        train(RECIPE, TINY, tmp_path)
    assert list(tmp_path.iterdir()) == [tmp_path / left]


def test_a_recipe_of_the_user_is_not_replaced(tmp_path):
    mine = tmp_path / "recipe.toml"
    text = (Path(sys.modules["neurossm_models"].__file__).parent / "recipes" / f"{RECIPE}.toml"
            ).read_text()  # fmt: skip
    mine.write_text(f"# mine\n{text}")
    for recipe in (mine, RECIPE):
        with pytest.raises(InputError, match=r"a folder of its own, got .*recipe.toml, which"):
            train(recipe, TINY, tmp_path)
    assert mine.read_text() == f"# mine\n{text}" and list(tmp_path.iterdir()) == [mine]
