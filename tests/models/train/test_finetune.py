"""Fine-tuning on the integers: what is kept, resumed, measured and refused; that it helps."""

import json

import numpy as np
import pytest
import torch

from neurossm.engine import run as run_graph
from neurossm.errors import GraphError, InputError
from neurossm.quantization import Quantize, calibrate
from neurossm_converters.formats.torch import from_torch
from neurossm_models.data import load
from neurossm_models.train import (
    CHECKPOINTS,
    Evaluation,
    load_model,
    load_recipe,
    publish,
    train,
)
from neurossm_models.train.checkpoint import load_tensors, save_tensors
from neurossm_models.train.publishing import model_card, read_log
from neurossm_models.train.trainer import split_data
from neurossm_workflows.train import finetune_changes, make_qat_model

# 64 training sequences in 4 steps an epoch, 8 steps in all
TINY = ["data.limit=80", "data.valid=16", "model.width=8", "model.state=4", "train.batch=16",
        "train.save_every=3"]  # fmt: skip
RECIPE, CALIBRATE, STEPS, SCALE = "binary-s4d-digits", "digits:train:24", 64, 1 / 16


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Return the folder of a tiny float run."""
    folder = tmp_path_factory.mktemp("runs") / "float"
    train(RECIPE, [*TINY, "train.epochs=4"], folder)
    return folder


@pytest.fixture(scope="module")
def tuned(start, tmp_path_factory):
    """Return the folder of two epochs of fine-tuning that were never stopped."""
    folder = tmp_path_factory.mktemp("runs") / "tuned"
    assert finetune(start, folder).finished
    return folder


def changes(start, *more, **widths):
    given = finetune_changes(RECIPE, str(start), True, CALIBRATE, {"pole_bits": 8, **widths})
    return [*given, *TINY, "train.epochs=2", "train.lr=0.01", *more]


def finetune(start, folder, *more, **options):
    return train(RECIPE, changes(start, *more), folder, make_qat_model=make_qat_model, **options)


def log_without_times(folder):
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def test_a_stopped_and_resumed_run_equals_a_straight_one_to_the_bit(start, tuned, tmp_path):
    for k, stop in enumerate((2, 6)):  # in both epochs: with ranges of either
        assert finetune(start, tmp_path, resume=k > 0, stop_after=stop).step == stop
    assert finetune(start, tmp_path, resume=True).finished
    for file in ("last/state.safetensors", "weights.safetensors"):
        ours, _ = load_tensors(tmp_path / file)
        theirs, _ = load_tensors(tuned / file)
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[name], theirs[name]) for name in ours), file
    assert log_without_times(tmp_path) == log_without_times(tuned)


def test_resuming_needs_the_same_widths(start, tuned):
    with pytest.raises(InputError, match=r"\[finetune\] pole_bits: expected 8, got 9; resume"):
        finetune(start, tuned, "finetune.pole_bits=9", resume=True)
    with pytest.raises(InputError, match=r"\[finetune\] run: expected none"):
        finetune(start, start, "train.epochs=4", "train.lr=0.01", "train.ssm_lr=0.002",
                 resume=True)  # fmt: skip


def test_the_valid_accuracy_is_that_of_the_exported_and_quantized_network(start, tuned):
    recipe = load_recipe(tuned / "recipe.toml")
    _, valid = split_data(recipe)
    best = max(log_without_times(tuned), key=lambda line: line["valid_accuracy"])
    before = json.loads((tuned / "before.json").read_text())
    for folder, said in ((start, before["accuracy"]), (tuned, best["valid_accuracy"])):
        graph = from_torch(load_model(folder)[0], steps=STEPS, scale=SCALE, bits=8)
        ranges = calibrate(graph, run_graph(graph, load(CALIBRATE).inputs, "float", "outputs"))
        integer = Quantize(pole_bits=8)(graph, ranges)
        last = run_graph(integer, valid.inputs).values["output"][:, -1]
        assert said == float(np.mean(last.argmax(1) == valid.labels))


def test_norms_keep_their_statistics_and_everything_else_is_trained(start, tuned):
    before, _ = load_tensors(start / "weights.safetensors")
    after, _ = load_tensors(tuned / "last" / "state.safetensors")
    for name, tensor in before.items():
        statistic = "running" in name or "num_batches" in name
        assert torch.equal(tensor, after[f"model/{name}"]) == statistic, name


def test_the_recipe_of_the_run_says_what_it_was_tuned_from(start, tuned):
    config = load_recipe(tuned / "recipe.toml").finetune
    assert (config.run, config.calibrate, config.pole_bits) == (str(start), CALIBRATE, 8)
    assert load_recipe(start / "recipe.toml").finetune is None
    recipe = load_recipe(tuned / "recipe.toml")
    test = Evaluation("digits:test", 360, 90, 0.25, 2.0, (0.1, 0.2))
    card = model_card("tuned", recipe, read_log(tuned / "log.jsonl"), test, 1000)
    assert (
        "| quantization-aware training (QAT) | from `float`" in card
        and "poles 8, weights 8" in card
    )


def test_a_tenth_of_the_rates_and_one_epoch_unless_told_otherwise(start):
    base = load_recipe(RECIPE)
    own = load_recipe(RECIPE, finetune_changes(RECIPE, str(start), True, "", {})).train
    assert (own.epochs, own.steps) == (1, 0)
    assert own.lr == pytest.approx(base.train.lr / 10)
    assert own.ssm_lr == pytest.approx(base.train.ssm_lr / 10)


def test_a_run_may_go_on_on_another_device(start, tmp_path):
    """Where it computes is not what is trained: begun as ``auto``, it goes on as ``cpu``."""
    assert finetune(start, tmp_path, stop_after=2).step == 2
    assert finetune(start, tmp_path, "train.device=cpu", resume=True, stop_after=3).step == 3


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_what_the_device_cannot_run_is_refused_before_anything_is_written(start, tmp_path):
    out = tmp_path / "run"
    with pytest.raises(InputError, match=r"got no GPU that PyTorch sees; --set train\.device=cpu"):
        finetune(start, out, "train.device=cuda")
    with pytest.raises(InputError, match="form 'triton': expected float32 on a GPU, got float32 o"):
        finetune(start, out, "train.ssm=triton")
    assert not out.exists()


def test_another_network_than_that_of_the_run_is_refused_before_anything_is_written(
    start, tmp_path
):
    out = tmp_path / "run"
    with pytest.raises(InputError, match=r"\[model\] width: expected 8, as of the run"):
        finetune(start, out, "model.width=16")
    with pytest.raises(InputError, match=r"\[model\] family: expected 'binary-s4d'"):
        train(
            "gsu-digits",
            [*changes(start), 'model.family="gsu"'],
            out,
            make_qat_model=make_qat_model,
        )
    with pytest.raises(InputError, match="quantize pole_bits: expected 3 to 16, got 40"):
        finetune(start, out, "finetune.pole_bits=40")
    with pytest.raises(InputError, match=r"calibrate: expected a part of 'digits'"):
        finetune(start, out, "finetune.calibrate=mnist:train:8")
    with pytest.raises(InputError, match="expected what runs the integers"):
        train(RECIPE, changes(start), out)
    assert not out.exists()


@pytest.mark.parametrize(
    ("recipe", "change", "said"),
    [
        ("gsu-digits", 'model.threshold="maximum"', 'train with model.threshold = "constant"'),
        (RECIPE, "model.bidirectional=true", "got a bidirectional one"),
        (RECIPE, 'model.norm="layer"', "got LayerNorm"),
    ],
)
def test_what_cannot_be_deployed_is_refused_by_name(tmp_path, recipe, change, said):
    train(recipe, [*TINY, "train.epochs=1", change], tmp_path / "float")
    given = finetune_changes(recipe, str(tmp_path / "float"), True, CALIBRATE, {})
    with pytest.raises(GraphError, match=said):
        train(recipe, [*given, *TINY, change], tmp_path / "tuned", make_qat_model=make_qat_model)
    assert not (tmp_path / "tuned").exists()


def test_it_recovers_what_coarse_poles_lost(tmp_path):
    """On the published digits network: 14.7% of the test part after training, 5-bit poles."""
    given = finetune_changes(RECIPE, RECIPE, True, "digits:train:64", {"pole_bits": 5})
    train(
        RECIPE,
        [*given, "data.limit=784", "train.batch=16"],
        tmp_path,
        make_qat_model=make_qat_model,
    )
    before = json.loads((tmp_path / "before.json").read_text())["accuracy"]
    after = read_log(tmp_path / "log.jsonl")[0]["valid_accuracy"]
    assert before < 0.4 and after > 0.6


def test_a_network_that_fine_tuning_only_harms_stays_as_it_was(tmp_path):
    """At a rate of 3 every step breaks the published network; epoch 0 is kept, the card says so."""
    given = finetune_changes(RECIPE, RECIPE, True, "digits:train:64", {})
    spoil = ["data.limit=464", "train.lr=3.0", "train.ssm_lr=3.0", "train.warmup=0.0"]
    result = train(RECIPE, [*given, *spoil], tmp_path, make_qat_model=make_qat_model)
    before = json.loads((tmp_path / "before.json").read_text())["accuracy"]
    assert result.best_epoch == 0 and result.valid_accuracy == before
    assert read_log(tmp_path / "log.jsonl")[0]["valid_accuracy"] < before
    original, _ = load_tensors(CHECKPOINTS / RECIPE / "weights.safetensors")
    kept, _ = load_tensors(tmp_path / "weights.safetensors")
    assert all(torch.equal(original[name], kept[name]) for name in original)
    folder = publish(tmp_path, "kept", into=tmp_path / "checkpoints")
    assert f"{before:.2%}, epoch 0 of 1" in (folder / "MODEL_CARD.md").read_text()


def test_constants_of_a_gated_spiking_unit_stay_where_their_format_has_room(tmp_path):
    """Near 0 a scale would make ``b / scale`` the largest number of all features."""
    network = load_model("gsu-smnist")[0]
    unit = network.blocks[0].unit
    with torch.no_grad():
        unit.scale.fill_(1.0)
        unit.bias_n.fill_(0.5)
        unit.bias_n[:4] = torch.tensor([4.0, -2.0, 2.0, 0.0])
        first, *_ = network.restraints()  # none beyond 4
        unit.scale[:4] = torch.tensor([2.0, -1e-9, 0.0, 0.0])
    first()
    assert unit.scale[:5].tolist() == [2.0, -0.5, 0.5, 0.0, 1.0]
    assert unit.largest_constant() == 4.0
    assert load_model("binary-s4d-digits")[0].restraints() == []


def test_a_gated_spiking_unit_is_fine_tuned_where_scales_cross_zero(tmp_path):
    tiny = [*TINY, "train.epochs=1"]
    train("gsu-digits", tiny, tmp_path / "float")
    path = tmp_path / "float" / "weights.safetensors"
    before, meta = load_tensors(path)
    names = [name for name in before if name.endswith("unit.scale")]
    for name in names:
        before[name].fill_(0.02)  # a step at the rate below reaches 0
        before[name.replace("scale", "bias_n")].fill_(0.02)
    save_tensors(path, before, meta)
    given = finetune_changes("gsu-digits", str(tmp_path / "float"), True, CALIBRATE, {})
    fast = [*given, *tiny, "train.epochs=2", "train.lr=0.02", "train.warmup=0.0"]
    assert train("gsu-digits", fast, tmp_path / "tuned", make_qat_model=make_qat_model).finished
    after, _ = load_tensors(tmp_path / "tuned" / "last" / "state.safetensors")
    assert any(bool((after[f"model/{name}"] < 0).any()) for name in names)
