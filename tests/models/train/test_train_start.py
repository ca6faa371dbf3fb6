"""Training that goes on from the weights of another run."""

import json

import pytest
import torch

from neurossm.errors import FormatError, InputError
from neurossm_models.train import estimate, load_model, load_recipe, publish, start, train
from neurossm_models.train.results import training

TINY = [
    "data.limit=80", "data.valid=16", "model.width=8", "model.state=4", "train.epochs=1",
    "train.batch=16",
]  # fmt: skip


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "first"
    assert train("binary-s4d-digits", TINY, folder).finished
    return folder


def go_on(first, folder, *changes):
    return train("binary-s4d-digits", [*TINY, f"train.start={first}", *changes], folder)


def test_without_a_step_the_weights_are_those_it_started_from(first, tmp_path):
    go_on(first, tmp_path, "train.lr=0.0", "train.ssm_lr=0.0")
    ours, theirs = (load_model(folder)[0].state_dict() for folder in (tmp_path, first))
    trained = [name for name in ours if "running" not in name and "num_batches" not in name]
    assert len(trained) > 10
    assert all(torch.equal(ours[name], theirs[name]) for name in trained)
    assert load_recipe(tmp_path / "recipe.toml").train.start == str(first)


def test_what_it_cost_before_is_counted_and_said(first, tmp_path):
    go_on(first, tmp_path / "second", "train.epochs=2")
    go_on(tmp_path / "second", tmp_path / "third")
    lines = [
        json.loads(line)
        for folder in (first, tmp_path / "second", tmp_path / "third")
        for line in (folder / "log.jsonl").read_text().splitlines()
    ]
    target = publish(tmp_path / "third", "third", into=tmp_path / "published")
    minutes = sum(line["seconds"] for line in lines) / 60
    assert len(lines) == 4 and training(target).train_minutes == pytest.approx(minutes)
    card = (target / "MODEL_CARD.md").read_text()
    assert "| started from | the weights of the run `second`: 3 epochs, " in card


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("model.width=16", r"recipe \[model\] width: expected 8, as of the run"),
        ("train.start=nothing", "nothing"),
    ],
)
def test_another_network_and_no_network_are_refused_before_anything_is_written(
    first, tmp_path, change, message
):
    with pytest.raises(InputError, match=message):
        go_on(first, tmp_path / "run", change)
    assert not (tmp_path / "run").exists()
    with pytest.raises(InputError, match=message):
        estimate("binary-s4d-digits", [*TINY, f"train.start={first}", change])


def test_a_module_of_other_weights_is_refused_by_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(
        "import torch\n\n\nclass Own(torch.nn.Module):\n"
        "    def __init__(self, classes, width=4):\n        super().__init__()\n"
        "        self.up = torch.nn.Linear(1, width)\n"
        "        self.down = torch.nn.Linear(width, classes)\n\n"
        "    def forward(self, x):\n        return self.down(self.up(x).mean(1))\n"
    )
    (tmp_path / "own.toml").write_text(
        '[data]\nname = "digits"\nlimit = 80\nvalid = 16\n[model]\nmodule = "own.py:Own"\n'
        "[train]\nepochs = 1\nbatch = 16\nlr = 0.01\nssm_lr = 0.01\n"
    )
    train("own.toml", [], tmp_path / "first")
    other = ["train.start=first", "model.arguments.width=5"]
    for run in (train, estimate):
        with pytest.raises(FormatError, match=r"start 'first': expected up\.weight of .*5"):
            run("own.toml", other)
        assert not (tmp_path / "runs").exists()
    assert train("own.toml", other[:1], tmp_path / "second").finished


def test_a_run_resumed_from_its_recipe_alone_is_told_its_folder(first, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="expected a run to resume") as caught:
        train(first / "recipe.toml", resume=True)
    assert caught.value.remedy == f"--out {first}"
    with pytest.raises(InputError, match="train without --resume"):
        train("binary-s4d-digits", TINY, tmp_path / "none", resume=True)
    with pytest.raises(InputError, match="epochs: expected 1, got 2") as caught:
        train("binary-s4d-digits", [*TINY, "train.epochs=2"], first, resume=True)
    own = f"neurossm train {first / 'recipe.toml'} --out {first} --resume"
    assert caught.value.remedy.endswith(own)


def test_data_that_are_not_there_are_missed_before_a_large_step_is_tried(tmp_path, monkeypatch):
    monkeypatch.setenv("NEUROSSM_DATA", str(tmp_path))
    monkeypatch.setattr(start, "check_room", lambda *given: pytest.fail("tried a step"))
    with pytest.raises(InputError, match=r"imdb under .*expected train/neg"):
        train("gsu-text", [], tmp_path / "run")
    assert not (tmp_path / "run").exists()
