"""Weights as they were saved: in a wrapper, computed, in another precision, by another program."""

import warnings

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn.utils import parametrizations, prune

from neurossm.errors import FormatError
from neurossm_models.network import Network
from neurossm_models.train import load_model, load_recipe
from neurossm_models.train.checkpoint import load_tensors, save_tensors
from neurossm_models.train.recipe import to_toml


def run_of(folder, *changes):
    """Write a small run of fresh weights; return its network."""
    overrides = ["model.width=6", "model.state=4", *changes]
    recipe = load_recipe("spikingssm-digits", overrides)
    folder.mkdir()
    (folder / "recipe.toml").write_text(to_toml(recipe))
    torch.manual_seed(1)
    return Network(recipe.model).eval()


def loaded(folder, tensors):
    save_tensors(folder / "weights.safetensors", tensors, {})
    return load_model(folder)[0]


def same(one, two):
    own, other = one.state_dict(), two.state_dict()
    return own.keys() == other.keys() and all(torch.equal(own[n], other[n]) for n in own)


@pytest.mark.parametrize("prefix", ["_orig_mod.", "module.", "module._orig_mod."])
def test_weights_of_a_wrapped_network_are_its_weights(tmp_path, prefix):
    model = run_of(tmp_path / "run")
    weights = {prefix + name: tensor for name, tensor in model.state_dict().items()}
    assert same(loaded(tmp_path / "run", weights), model)


def test_weights_of_a_network_with_a_compiled_block_are_its_weights(tmp_path):
    model = run_of(tmp_path / "run")
    part = run_of(tmp_path / "other")
    part.load_state_dict(model.state_dict())
    part.blocks[1] = torch.compile(part.blocks[1], backend="eager")
    assert any("blocks.1._orig_mod." in name for name in part.state_dict())
    assert same(loaded(tmp_path / "run", part.state_dict()), model)


def test_two_of_a_name_are_refused(tmp_path):
    weights = dict(run_of(tmp_path / "run").state_dict())
    weights["_orig_mod.decoder.bias"] = torch.zeros(10)
    with pytest.raises(FormatError, match=r"expected decoder\.bias once, in a wrapper or without"):
        loaded(tmp_path / "run", weights)


def test_a_wrapped_network_of_another_shape_is_refused(tmp_path):
    model = run_of(tmp_path / "run")
    weights = {f"module.{name}": tensor for name, tensor in model.state_dict().items()}
    weights["module.decoder.bias"] = torch.zeros(11)
    with pytest.raises(FormatError, match=r"decoder\.bias of shape \(10,\), got shape \(11,\)"):
        loaded(tmp_path / "run", weights)


def test_another_precision_is_refused_with_a_remedy_that_works(tmp_path):
    model = run_of(tmp_path / "run").double()
    with pytest.raises(FormatError, match=r"encoder\.weight of shape \(6, 1\), got shape \(6, 1\) "
                       r"of float64; save them in float32, after model\.float\(\)"):  # fmt: skip
        loaded(tmp_path / "run", model.state_dict())
    assert same(loaded(tmp_path / "run", model.float().state_dict()), model)


def old_weight_norm(layer):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        torch.nn.utils.weight_norm(layer)


@pytest.mark.parametrize(
    ("compute", "remedy"),
    [
        (parametrizations.weight_norm, "parametrize.remove_parametrizations"),
        (old_weight_norm, "remove_weight_norm"),
        (torch.nn.utils.spectral_norm, "remove_spectral_norm"),
        (lambda layer: prune.random_unstructured(layer, "weight", 0.5), "prune.remove"),
    ],
)
def test_weights_that_others_are_computed_from_are_refused_with_what_undoes_it(
    tmp_path, compute, remedy
):
    model = run_of(tmp_path / "run")
    compute(model.decoder)
    with pytest.raises(FormatError, match=rf"got none; call torch\.nn\.utils\.{remedy} before"):
        loaded(tmp_path / "run", model.state_dict())


def test_weights_saved_anew_without_our_metadata_load(tmp_path):
    model = run_of(tmp_path / "run")
    path = tmp_path / "run" / "weights.safetensors"
    save_tensors(path, model.state_dict(), {"accuracy": 1.0})
    save_file(load_file(path), path)
    assert same(load_model(tmp_path / "run")[0], model)
    with pytest.raises(FormatError, match="expected a neurossm checkpoint, got tensors without the "
                       "metadata 'neurossm'; use the file that neurossm wrote"):  # fmt: skip
        load_tensors(path)  # as training resumes


def test_bidirectional_weights_keep_the_lag_that_they_were_trained_with(tmp_path):
    model = run_of(tmp_path / "run", "model.bidirectional=true")
    saved = model.state_dict()
    lags = [name for name in saved if name.endswith(".backward_lag")]
    assert len(lags) == 2 and all(int(saved[name]) == 1 for name in lags)
    assert same(loaded(tmp_path / "run", saved), model)
    before = {name: tensor for name, tensor in saved.items() if name not in lags}
    old = loaded(tmp_path / "run", before)
    assert [int(block.ssm.backward_lag) for block in old.blocks] == [0, 0]
    with pytest.raises(FormatError, match=r"ssm\.backward_lag: expected 0 or 1, got 7"):
        loaded(tmp_path / "run", {**saved, lags[1]: torch.tensor(7)})
