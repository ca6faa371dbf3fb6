"""Recipes: what is in them, what may be changed, and how each mistake is named."""

import re
import tomllib

import pytest

from neurossm.errors import InputError
from neurossm_models.train.recipe import load_recipe, recipe_names, recipe_path, to_toml

SMALL = """
[data]
name = "digits"
valid = 10
[model]
width = 4
[train]
epochs = 1
batch = 8
lr = 1
ssm_lr = 0.001
"""


@pytest.fixture
def write(tmp_path):
    def write(text):
        path = tmp_path / "own.toml"
        path.write_text(text)
        return path

    return write


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_of_ours_loads_and_gives_the_source_of_each_key(name):
    recipe = load_recipe(name)
    assert recipe == load_recipe(f"recipes/{name}.toml")
    for line in recipe_path(name).read_text().splitlines():
        setting = line.split("#")[0]
        assert "=" not in setting or "#" in line or setting.startswith("family"), line


def test_a_recipe_written_out_reads_back_the_same(write):
    changes = ["model.mixing=linear", "train.lr=3e-3", "model.delays=[1, 3]"]
    recipe = load_recipe("binary-s4d-smnist", changes)
    assert load_recipe(write(to_toml(recipe))) == recipe
    assert (recipe.model.mixing, recipe.train.lr) == ("linear", 0.003)
    assert recipe.model.delays == (1, 3)


def test_whole_numbers_serve_as_real_ones_and_defaults_fill_in(write):
    recipe = load_recipe(write(SMALL), ["train.seed=7"])
    assert recipe.train.lr == 1.0 and isinstance(recipe.train.lr, float)
    assert (recipe.train.seed, recipe.train.warmup, recipe.model.state) == (7, 0.1, 32)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("width = 4", "widht = 4", "'widht'; did you mean 'width'?"),
        ("[model]", "[modle]", "did you mean 'model'?"),
        ("[model]", "model = 3\n[x]", "'x'"),
        ("epochs = 1\n", "", "[train]: expected key 'epochs', got none"),
        ("batch = 8", "batch = 8.5", "batch: expected a whole number, got 8.5"),
        ("batch = 8", "batch = true", "batch: expected a whole number, got True"),
        ("batch = 8", "batch = 0", "[train] batch: expected at least 1, got 0"),
        ("lr = 1", "lr = nan", "lr: expected a finite number, got nan"),
        ("lr = 1", "lr = 'fast'", "lr: expected a number"),
        ("width = 4", "state = 5", "[model] state: expected a multiple of 2, got 5"),
        ('"digits"', '"digit"', "[data] name: expected one of aan, cifar10-gray, digits, imdb,"),
        ("[data]", "[data", "a TOML recipe"),
    ],
)
def test_a_mistake_is_named_with_its_file_and_the_nearest_key(write, old, new, message):
    assert old in SMALL
    path = write(SMALL.replace(old, new, 1))
    with pytest.raises(InputError, match=re.escape(message)) as caught:
        load_recipe(path)
    assert all(line.startswith(str(path)) for line in str(caught.value).split("\n"))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.epocs=3", "did you mean 'epochs'"),
        ("trian.epochs=3", "did you mean 'train'"),
        ("train.epochs", "expected section.key=value"),
        ("epochs=3", "expected section.key=value"),
        ("train.epochs=many", "expected a whole number, got 'many'"),
    ],
)
def test_a_wrong_override_is_named(override, message):
    with pytest.raises(InputError, match=message):
        load_recipe("binary-s4d-digits", [override])


def test_all_wrong_overrides_are_said():
    with pytest.raises(InputError) as refused:
        load_recipe("binary-s4d-digits", ["train.epocs=3", "train.lr=1", "model.widht=2"])
    first, second = str(refused.value).split("\n")
    assert first.startswith("--set train.epocs=3: ") and first.endswith("mean 'epochs'?")
    assert second.startswith("--set model.widht=2: ") and second.endswith("mean 'width'?")


def test_an_override_of_a_section_that_is_no_table_is_refused(write):
    with pytest.raises(InputError, match=r"\[data\]: expected a table, got 3"):
        load_recipe(write("data = 3"), ["data.name=digits"])


def test_an_unknown_recipe_names_the_nearest():
    with pytest.raises(InputError, match="did you mean 'binary-s4d-digits'"):
        load_recipe("binary-s4d-digit")


def test_the_two_smnist_recipes_differ_in_the_mixing_alone():
    glu, linear = (
        tomllib.loads(recipe_path(name).read_text())
        for name in ("binary-s4d-smnist", "binary-s4d-linear-smnist")
    )
    assert linear["model"].pop("mixing") == "linear" and glu["model"].pop("mixing") == "glu"
    assert glu == linear


def test_all_that_is_wrong_in_any_section_is_said_a_line_each(write):
    path = write(
        SMALL.replace("valid = 10", "valid = -1")
        .replace("width = 4", "width = 0")
        .replace("batch = 8", "bacth = 8") + "[qqq]\n"
    )  # fmt: skip
    with pytest.raises(InputError) as refused:
        load_recipe(path)
    lines = str(refused.value).split("\n")
    assert lines[:3] == [
        f"{path}: section: expected one of data, model, train, finetune, got 'qqq'",
        f"{path} [data] valid: expected at least 0, got -1",
        f"{path} [model] width: expected at least 1, got 0",
    ]
    assert lines[3].startswith(f"{path} [train]: expected a key of epochs,")
    assert lines[3].endswith("got 'bacth'; did you mean 'batch'?")
    assert lines[4:] == [f"{path} [train]: expected key 'batch', got none"]


@pytest.mark.parametrize(
    ("change", "message"),
    [("train.precision=tf23", "--set train.precision=tf23: expected one of float32, "),
     ("train.epochs=0", "--set train.epochs=0: expected at least 1, got 0"),
     ("train.device=gpu", "--set train.device=gpu: expected auto, cpu, cuda or cuda:N, got 'gpu'"),
     ("model.delays=[1, 64]", "--set model.delays=[1, 64]: delays.1: expected at most 63, got 64"),
     ("model.delays=3", "--set model.delays=3: expected a list, got 3")],
)  # fmt: skip
def test_a_wrong_value_of_a_change_is_named_by_the_change_and_not_by_the_file(change, message):
    with pytest.raises(InputError) as caught:
        load_recipe("spikingssm-digits", ["train.batch=8", change])
    assert str(caught.value).startswith(message)


def test_what_is_wrong_in_the_file_is_still_named_by_the_file_beside_a_change(write):
    path = write(SMALL.replace("\nlr = 1", "\nlr = -1"))
    with pytest.raises(InputError) as caught:
        load_recipe(path, ["train.epochs=0", "train.batch=8"])
    lines = str(caught.value).splitlines()
    assert {line.partition(": expected")[0] for line in lines} == {
        f"{path} [train] lr", "--set train.epochs=0"}  # fmt: skip


MODULE = """
[data]
path = "mine.npz"

[model]
module = "my_model.py:build"

[model.arguments]
width = 16
depth = 2

[train]
epochs = 2
batch = 4
lr = 0.01
ssm_lr = 0.002
"""


def test_an_argument_of_a_module_is_changed_by_its_name(write):
    recipe = load_recipe(write(MODULE), ["model.arguments.width=32", "model.arguments.name=a"])
    assert recipe.model.arguments == {"width": 32, "depth": 2, "name": "a"}
    with pytest.raises(InputError, match="key: expected one of family"):
        load_recipe("gsu-digits", ["model.arguments.width=32"])
    with pytest.raises(InputError, match="arguments"):
        load_recipe(write(MODULE.replace("width = 16\ndepth = 2", "").replace(
            "[model.arguments]", "arguments = 3")), ["model.arguments.width=32"])  # fmt: skip


@pytest.mark.parametrize("key", ["ssm", "neuron"])
def test_forms_of_layers_mean_nothing_for_a_module_of_ones_own(write, key):
    with pytest.raises(InputError, match="expected auto, as a module of one's own") as caught:
        load_recipe(write(MODULE), [f"train.{key}=triton"])
    assert caught.value.where == f"--set train.{key}=triton"
    assert load_recipe(write(MODULE), [f"train.{key}=auto"]).train.batch == 4


def test_a_run_in_place_of_a_recipe_is_told_its_recipe(tmp_path):
    (tmp_path / "recipe.toml").touch()
    with pytest.raises(InputError, match=r"got the folder .*; it is a run: .*/recipe\.toml is"):
        load_recipe(tmp_path)


def test_kernels_that_hold_too_few_states_are_unsupported_when_the_recipe_is_read():
    sets = ["train.ssm=triton", "model.state=130"]
    with pytest.raises(InputError, match=r"train\.ssm=triton: expected at most 128 states per"):
        load_recipe("binary-s4d-digits", sets)
    assert load_recipe("binary-s4d-digits", [sets[0], "model.state=128"]).network.state == 128


def test_a_run_that_is_called_like_its_family_does_not_hide_it(tmp_path, monkeypatch):
    for name in ("silif", "silif-digits"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "recipe.toml").touch()
    monkeypatch.chdir(tmp_path)
    assert load_recipe("silif-digits").network.family == "silif"
    assert recipe_path("silif").parent.name == "own"
