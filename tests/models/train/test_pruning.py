"""Pruning: while training, at once, and that zeros stay zeros through all that follows."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from neurossm.errors import FormatError, InputError
from neurossm.nodes import Affine
from neurossm.sparsity import masks, sparsity_at
from neurossm_models.train import load_model, load_recipe, train
from neurossm_models.train.checkpoint import load_tensors
from neurossm_models.train.pruned import prune_run
from neurossm_models.train.pruning import Pruner, Schedule, kept_layers, prunable
from neurossm_models.train.recipe import to_toml
from neurossm_workflows.export import load_run
from neurossm_workflows.train import finetune_changes, make_qat_model

# 128 training sequences in 8 steps an epoch; 3 epochs, 24 steps in all
RECIPE = "binary-s4d-digits"
TINY = ["data.limit=160", "data.valid=32", "model.width=8", "model.state=4", "train.epochs=3",
        "train.batch=16", "train.save_every=3"]  # fmt: skip
PRUNED = ["train.sparsity=0.75", "train.sparsity_until=0.5", "train.sparsity_every=2"]
LAYERS = ["encoder", "blocks.0.mix", "blocks.1.mix", "decoder"]


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Return the folder of a tiny run."""
    folder = tmp_path_factory.mktemp("runs") / "plain"
    assert train(RECIPE, TINY, folder).finished
    return folder


@pytest.fixture(scope="module")
def gradual(tmp_path_factory):
    """Return the folder of a tiny run that prunes."""
    folder = tmp_path_factory.mktemp("runs") / "gradual"
    assert train(RECIPE, [*TINY, *PRUNED], folder).finished
    return folder


def weights_of(folder):
    tensors = load_tensors(folder / "weights.safetensors")[0]
    return {name: tensors[f"{name}.weight"].numpy() for name in LAYERS}


def zeros_of(folder):
    found = weights_of(folder).values()
    return sum(np.sum(w == 0) for w in found) / sum(w.size for w in found)


# -- while training ----------------------------------------------------------------------------


def test_zeros_become_more_by_the_cubic_until_the_share_is_reached(gradual):
    lines = [json.loads(line) for line in (gradual / "log.jsonl").read_text().splitlines()]
    # 8 steps an epoch, all zeros after step 12 of 24
    expected = [sparsity_at(step, 0, 12, 0.75) for step in (8, 16, 24)]
    assert [line["zeros"] for line in lines] == pytest.approx(expected, abs=0.01)
    assert zeros_of(gradual) == pytest.approx(0.75, abs=0.01)
    assert kept_layers(gradual) == tuple(LAYERS)


def test_the_best_epoch_is_one_that_has_all_zeros(gradual, tmp_path):
    best = load_tensors(gradual / "weights.safetensors")[1]
    assert best["epoch"] in (2, 3)
    # at full learning rate from the start and with none in the end the first epoch is the best one
    train(RECIPE, [*TINY, *PRUNED, "train.sparsity_until=1.0"], tmp_path / "late")
    assert load_tensors(tmp_path / "late" / "weights.safetensors")[1]["epoch"] == 3
    assert zeros_of(tmp_path / "late") == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize("stops", [(5,), (8,), (11, 13)])
def test_a_resumed_run_prunes_what_a_straight_one_does(gradual, tmp_path, stops):
    for k, stop in enumerate(stops):
        train(RECIPE, [*TINY, *PRUNED], tmp_path, resume=k > 0, stop_after=stop)
    assert train(RECIPE, [*TINY, *PRUNED], tmp_path, resume=True).finished
    for file in ("last/state.safetensors", "weights.safetensors"):
        ours, theirs = (load_tensors(folder / file)[0] for folder in (tmp_path, gradual))
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours), file


def test_only_the_layers_that_are_asked_for_are_pruned(tmp_path):
    some = 'train.sparsity_layers=["blocks.*"]'
    train(RECIPE, [*TINY, *PRUNED, some, "train.sparsity_scope=layer"], tmp_path)
    found = weights_of(tmp_path)
    assert kept_layers(tmp_path) == ("blocks.0.mix", "blocks.1.mix")
    for name in LAYERS:
        share = np.mean(found[name] == 0)
        assert share == (0.75 if "mix" in name else 0)


def test_a_step_clips_and_moves_what_is_kept_only():
    layer = nn.Linear(4, 3, bias=False)
    with torch.no_grad():
        layer.weight[:] = torch.tensor([[0.0, 1, 2, 3], [4, 0, 5, 6], [7, 8, 0, 0]])
    pruner = Pruner({"layer": layer.weight}, None, ("layer",))
    layer.weight.grad = torch.ones(3, 4)
    pruner.before_step()
    assert layer.weight.grad.tolist() == [[0, 1, 1, 1], [1, 0, 1, 1], [1, 1, 0, 0]]
    with torch.no_grad():
        layer.weight += 1
    pruner.after_step(1)
    assert layer.weight.tolist() == [[0, 2, 3, 4], [5, 0, 6, 7], [8, 9, 0, 0]]
    assert pruner.zeros == 4 / 12


def test_what_was_zero_stays_zero_whatever_the_schedule_keeps():
    layer = nn.Linear(4, 1, bias=False)
    with torch.no_grad():
        layer.weight[:] = torch.tensor([[0.0, 3, 2, 1]])
    schedule = Schedule(0.5, "layer", 0, 8, 2)
    pruner = Pruner({"layer": layer.weight}, schedule, ("layer",))
    assert [step for step in range(10) if schedule.is_due(step)] == [2, 4, 6, 8]
    pruner.after_step(2)  # a share of 0.29: three of four may stay, and one is 0 already
    assert layer.weight.tolist() == [[0, 3, 2, 1]]
    with torch.no_grad():
        layer.weight[:] = torch.tensor([[9.0, 3, 2, 1]])
    pruner.after_step(8)
    assert layer.weight.tolist() == [[0, 3, 0, 0]]  # 9 was the largest, and is not kept


def test_a_module_names_matrices_of_its_own():
    class Own(nn.Module):
        prunable = ("b", "c")

        def __init__(self):
            super().__init__()
            self.b, self.c, self.d = (nn.Parameter(torch.ones(2, 3)) for _ in range(3))

    model = nn.ModuleDict({"own": Own(), "mix": nn.Linear(2, 2)})
    assert list(prunable(model)) == ["own.b", "own.c", "mix"]
    assert list(prunable(Own())) == ["b", "c"]


def test_the_matrix_of_complex_states_loses_both_parts_of_a_weight(tmp_path):
    small = [change for change in TINY if not change.startswith("model")]
    sizes = ["model.width=16", "model.state=16", "model.blocks=2"]
    train("s5-digits", [*small, *sizes, *PRUNED], tmp_path)
    model = load_model(tmp_path)[0]
    real, imaginary = model.blocks[0].into.weight.detach().numpy().reshape(2, 8, 16)
    assert np.array_equal(real == 0, imaginary == 0) and np.mean(real == 0) > 0.5
    nodes = load_run(str(tmp_path)).nodes  # which compares the graph with the module
    assert nodes["blocks.0.into"].sparse


# -- at once, and on from there ----------------------------------------------------------------


@pytest.fixture(scope="module")
def pruned(plain, tmp_path_factory):
    """Return a run that lost three quarters of its weights at once."""
    folder = tmp_path_factory.mktemp("runs") / "pruned"
    return folder, prune_run(plain, folder, 0.75)


def test_the_smallest_weights_of_a_run_become_zero_and_nothing_else(plain, pruned):
    folder, found = pruned
    before, after = (load_model(run)[0].state_dict() for run in (plain, folder))
    kept = masks(weights_of(plain), 0.75)
    for name, tensor in before.items():
        layer = name.removesuffix(".weight")
        expected = tensor * torch.from_numpy(kept[layer]) if layer in kept else tensor
        assert torch.equal(after[name], expected), name
    assert {row.name: row.kept for row in found.layers} == {n: m.sum() for n, m in kept.items()}


def test_it_says_what_the_validation_part_says_before_and_after(plain, pruned):
    folder, found = pruned
    lines = [json.loads(line) for line in (plain / "log.jsonl").read_text().splitlines()]
    best = load_tensors(plain / "weights.safetensors")[1]["epoch"]
    assert found.before.accuracy == lines[best - 1]["valid_accuracy"]
    said = json.loads((folder / "pruned.json").read_text())
    assert (said["before"], said["after"]) == (found.before.accuracy, found.after.accuracy)
    assert said["layers"] == LAYERS and said["sparsity"] == 0.75 and said["scope"] == "erk"
    history = (folder / "start.jsonl").read_text()
    assert history == (plain / "log.jsonl").read_text()


def test_training_goes_on_from_its_recipe_with_the_zeros_kept(pruned, tmp_path):
    folder, _ = pruned
    assert load_recipe(folder / "recipe.toml").train.start == str(folder)
    assert train(folder / "recipe.toml", ["train.epochs=1"], tmp_path / "on").finished
    before, after = weights_of(folder), weights_of(tmp_path / "on")
    assert kept_layers(tmp_path / "on") == tuple(LAYERS)
    for name, weight in before.items():
        assert np.array_equal(weight == 0, after[name] == 0), name
        assert not np.array_equal(weight, after[name])
    # and from there once more
    more = ["train.epochs=1", f"train.start={tmp_path / 'on'}"]
    train(folder / "recipe.toml", more, tmp_path / "more")
    assert zeros_of(tmp_path / "more") == zeros_of(folder)


def test_quantization_aware_training_keeps_the_zeros(pruned, tmp_path):
    folder, _ = pruned
    given = finetune_changes(str(folder / "recipe.toml"), str(folder), True, "digits:train:24", {})
    changes = [*given, "train.lr=0.01", "train.epochs=1"]
    train(folder / "recipe.toml", changes, tmp_path, make_qat_model=make_qat_model)
    state = load_tensors(tmp_path / "last" / "state.safetensors")[0]
    for name, weight in weights_of(folder).items():
        last = state[f"model/{name}.weight"].numpy()
        assert np.array_equal(weight == 0, last == 0), name
        assert not np.array_equal(weight, last)
    assert load_run(str(folder)).nodes["blocks.0.mix.value"] is not None


def test_its_layers_are_exported_as_sparse_synapses(tmp_path):
    changes = [change for change in TINY if "width" not in change]
    train(RECIPE, [*changes, *PRUNED, "model.width=16", "train.epochs=1"], tmp_path)
    graph = load_run(str(tmp_path))
    found = {name: node for name, node in graph.nodes.items() if isinstance(node, Affine)}
    assert {name for name, node in found.items() if node.sparse} == {
        *(f"blocks.{k}.mix.{half}" for k in (0, 1) for half in ("value", "gate")), "decoder"
    }  # fmt: skip
    model = load_model(tmp_path)[0]
    mix = model.blocks[0].mix.weight.detach().numpy()
    np.testing.assert_array_equal(found["blocks.0.mix.value"].weight, mix[:16])


# -- refused -----------------------------------------------------------------------------------


def test_a_recipe_says_how_to_prune_only_where_it_does():
    assert "sparsity" not in to_toml(load_recipe(RECIPE))
    text = to_toml(load_recipe(RECIPE, PRUNED))
    assert "sparsity = 0.75" in text and 'sparsity_scope = "erk"' in text


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["train.sparsity=1.0"], "sparsity.*less than 1"),
        (["train.sparsity=0.5", "train.sparsity_scope=all"], "sparsity_scope"),
        (["train.sparsity=0.5", "train.sparsity_from=0.75"], "sparsity_from.*below sparsity_until"),
    ],
)
def test_a_setting_out_of_its_range_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        load_recipe(RECIPE, changes)


def test_a_layer_that_there_is_not_is_refused_before_training(tmp_path):
    with pytest.raises(InputError, match=r"sparsity_layers: expected layers of encoder, blocks"):
        train(RECIPE, [*TINY, *PRUNED, 'train.sparsity_layers=["block.0"]'], tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_run_is_no_place_for_a_pruned_one(plain, pruned):
    for taken in (plain, pruned[0]):
        with pytest.raises(InputError, match="expected no run there yet"):
            prune_run(plain, taken, 0.5)
    with pytest.raises(InputError, match=r"layers: expected layers of encoder, .*got 'mix'"):
        prune_run(plain, plain.parent / "other", 0.5, layers=["mix"])
    assert not (plain.parent / "other").exists()


@pytest.mark.parametrize("text", ["[]", '{"layers": 3}', '{"layers": ["nobody"]}', "{"])
def test_a_damaged_record_of_pruning_is_named(pruned, tmp_path, text):
    folder = tmp_path / "damaged"
    folder.mkdir()
    for name in ("recipe.toml", "weights.safetensors"):
        (folder / name).write_bytes((pruned[0] / name).read_bytes())
    (folder / "pruned.json").write_text(text)
    with pytest.raises(FormatError, match=r"pruned\.json"):
        train(folder / "recipe.toml", [f"train.start={folder}"], tmp_path / "run")
