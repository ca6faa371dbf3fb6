"""The recipes of the published tasks: complete, what they say they are, and trainable."""

import dataclasses
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch

from neurossm.errors import InputError
from neurossm_models import Network
from neurossm_models.data import Dataset, task
from neurossm_models.feed_forward import FeedForwardConfig
from neurossm_models.train.evaluation import score, tensors
from neurossm_models.train.optimization import lr_factor
from neurossm_models.train.recipe import check_fits, load_recipe, recipe_names, recipe_path

README = Path(__file__).parents[3] / "models" / "README.md"
LRA = ("listops", "text", "retrieval", "image", "pathfinder", "pathx")
FAMILIES = ("binary-s4d", "gsu", "spikingssm", "spike-ssm")
MAY_DIFFER = {"bidirectional", "norm", "prenorm"}


def bidirectional_recipes():
    return [name for name in recipe_names() if not load_recipe(name).model.causal]


def tiny_data(recipe, steps=6, count=4):
    """Return random sequences of the kind that the recipe's data set has, a few steps long."""
    rng, facts = np.random.default_rng(1), task(recipe.data.name)
    tokens, pairs = recipe.model.vocabulary, facts.readout == "pair"
    channels = 2 if pairs else 1
    inputs = rng.integers(0, tokens or 200, (count, steps, channels)).astype(np.int32)
    per_step = facts.readout == "every-step"
    labels = rng.integers(0, recipe.model.classes, (count, steps) if per_step else count)
    lengths = rng.integers(2, steps + 1, (count, 2) if pairs else count) if tokens else None
    return Dataset("x", "train", inputs, facts.scale, labels, "random", tokens, lengths)


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_names_its_source_and_takes_a_step_of_training(name):
    head = recipe_path(name).read_text().split("[data]")[0]
    assert "arXiv" in recipe_path(name).read_text() and all(
        line.startswith("#") for line in head.split("\n") if line
    )
    recipe = load_recipe(name)
    # without a residual stream some neurons must spike before a gradient can pass them
    alone = isinstance(recipe.model, FeedForwardConfig)
    tiny = {"width": 32 if alone else 4, "layers": 2}
    if hasattr(recipe.model, "state"):
        tiny["state"] = min(recipe.model.state, 4)
    if hasattr(recipe.model, "blocks"):
        tiny["blocks"] = 1
    model = dataclasses.replace(recipe.model, **tiny)
    if recipe.model.vocabulary > 1000:
        cutoffs = (3, 6) if model.cutoffs else ()
        model = dataclasses.replace(model, vocabulary=9, classes=9, cutoffs=cutoffs)
    small = dataclasses.replace(recipe, model=model)
    torch.manual_seed(0)
    # The native kernels, which take a while to compile, have tests of their own.
    network = Network(small.model).use(ssm="fft", neuron="loop")
    x, lengths, labels = tensors(tiny_data(small, 40 if alone else 6))
    loss, _, count = score(network(x, lengths), labels)
    loss.backward()
    assert torch.isfinite(loss) and count == labels.numel()
    gradients = {key: p.grad for key, p in network.named_parameters()}
    assert all(torch.isfinite(g).all() for g in gradients.values() if g is not None)
    moved = [key for key, g in gradients.items() if g is not None and g.abs().max() > 0]
    assert any(key.startswith("encoder") for key in moved), moved


@pytest.mark.parametrize("family", ["spikingssm", "spike-ssm"])
def test_the_adaptive_softmax_is_that_of_the_published_configuration(family):
    model = load_recipe(f"{family}-wikitext103").model
    # wt103.yaml of SDN @709640e, and the pipeline of state-spaces/s4 that it names
    assert (model.cutoffs, model.divisor) == ((19_997, 39_997, 199_997), 4)
    assert (model.embedding_dropout, model.softmax_dropout) == (0.25, 0.25)
    assert (model.vocabulary, model.norm, model.prenorm) == (267_735, "layer", True)
    assert not load_recipe(f"{family}-wikitext103").train.carry  # train.state.n_context is 0


def test_every_published_task_has_a_recipe():
    names = set(recipe_names())
    for family in FAMILIES:
        for data in ("smnist", "psmnist", *LRA, *(f"{key}-causal" for key in LRA)):
            assert f"{family}-{data}" in names
    assert {"spikingssm-smnist-published", "spikingssm-psmnist-published"} <= names
    assert {"spikingssm-wikitext103", "spike-ssm-wikitext103"} <= names
    assert {"spikingssm-speech-commands", "binary-s4d-scifar", "gsu-scifar"} <= names


@pytest.mark.parametrize("name", bidirectional_recipes())
def test_a_bidirectional_recipe_has_a_causal_counterpart_that_differs_where_it_must(name):
    assert f"{name}-causal" in recipe_path(name).read_text()
    both, causal = (tomllib.loads(recipe_path(n).read_text()) for n in (name, f"{name}-causal"))
    assert both["data"] == causal["data"] and both["train"] == causal["train"]
    assert both["model"].keys() == causal["model"].keys()
    differs = {key for key in both["model"] if both["model"][key] != causal["model"][key]}
    allowed = MAY_DIFFER | ({"threshold"} if name.startswith("gsu") else set())
    assert "bidirectional" in differs <= allowed
    model = load_recipe(f"{name}-causal").model
    assert model.causal and (model.norm, model.prenorm) == ("batch", True)
    assert getattr(model, "threshold", None) != "maximum"
    assert (
        model.readout == "mean" or "refused at export" in recipe_path(f"{name}-causal").read_text()
    )


# The table of the released configurations, once more: depth, H, N, bidirectional, trained B,
# dropout, lr, weight decay, batch, epochs, steps, warm-up, smallest dt, seed.
SPIKINGSSM = """
smnist-published   2 400 64 0 0 .1 .01 .01 50 100 90000 1000 .001 1111
psmnist-published  4 256 64 0 0 .1 .01 .01 50 100 90000 1000 .001 1111
image              6 512 64 1 0 .1 .01 .01 50 200 180000 18000 .001 2222
listops            6 256  4 1 1 0 .01 .01 32 40 120000 12000 .001 1234
text               6 256  4 1 1 0 .01 .05 16 32 50000 5000 .001 3333
retrieval          6 256 64 1 0 0 .01 .01 64 20 50000 5000 .001 3333
pathfinder         6 256 64 1 0 0 .004 .01 64 200 500000 50000 .001 3333
pathx              6 256 64 1 1 0 .001 .01 16 50 500000 50000 .0001 3333
wikitext103        16 1024 64 0 0 .1 .0005 .1 1 1000 800000 1000 .001 1111
speech-commands    6 128 16 1 1 0 .01 .01 16 40 200000 1000 .001 2222
"""


@pytest.mark.parametrize("row", SPIKINGSSM.strip().splitlines())
def test_the_published_settings_of_spikingssm(row):
    name, *values = row.split()
    recipe = load_recipe(f"spikingssm-{name}")
    m, t = recipe.model, recipe.train
    ours = (m.layers, m.width, m.state, m.bidirectional, m.train_b, m.dropout, t.lr, t.weight_decay,
            t.batch, t.epochs, t.steps, t.warmup, m.dt_min, t.seed)  # fmt: skip
    assert ours == tuple(map(float, values))
    assert (m.dt_max, m.tau, m.init, t.ssm_lr) == (0.1, 0.125, "lin", min(0.001, t.lr))


# The S4 baselines: depth, H, N, pre-norm, dropout, lr, batch, weight decay, epochs, warm-up, steps.
S4 = """
listops    6 256  4 0 0  .01 32 .05 40 12000 120000
text       6 256  4 1 0  .01 16 .05 32 5000 50000
retrieval  6 256  4 1 0  .01 64 .05 20 5000 50000
image      6 512 64 0 .1 .01 50 .05 200 18000 180000
pathfinder 6 256 64 1 0  .004 64 .05 200 50000 500000
pathx      6 256 64 1 0  .001 16 .05 50 50000 500000
"""


@pytest.mark.parametrize("row", S4.strip().splitlines())
@pytest.mark.parametrize("family", ["binary-s4d", "gsu", "spike-ssm"])
def test_the_settings_of_the_s4_baselines(family, row):
    name, *values = row.split()
    recipe = load_recipe(f"{family}-{name}")
    m, t = recipe.model, recipe.train
    ours = (m.layers, m.width, m.state, m.prenorm, m.dropout, t.lr, t.batch, t.weight_decay,
            t.epochs, t.warmup, t.steps)  # fmt: skip
    assert ours == tuple(map(float, values)) and m.norm == "batch"


# Table of PRF (arXiv 2410.03530): depth, H, pre-norm, dropout, batch, epochs, weight decay, causal.
PRF = """
listops    8 128 0 0   50  40 .05 1
text       6 256 1 0   16  32 .05 1
retrieval  6 256 1 0   32  20 .05 1
image      6 512 0 .1  50 200 .05 0
pathfinder 6 256 1 .05 64 200 .03 0
"""


@pytest.mark.parametrize("row", PRF.strip().splitlines())
@pytest.mark.parametrize("family", ["prf", "d-rf"])
def test_the_settings_of_resonators(family, row):
    name, *values = row.split()
    recipe = load_recipe(f"{family}-{name}")
    m, t = recipe.model, recipe.train
    ours = (m.layers, m.width, m.prenorm, m.dropout, t.batch, t.epochs, t.weight_decay, m.causal)
    assert ours == tuple(map(float, values))
    assert (t.lr, t.ssm_lr, m.tau, m.threshold, m.norm) == (0.005, 0.001, 2.0, 1.0, "batch")
    if family == "d-rf":
        assert (m.dendrites, m.surrogate) == (8, "double_gaussian")


def test_longspike_is_spikingssm_with_a_second_set_and_what_its_configurations_change():
    changed = {"text": {"state"}, "speech-commands": {"state"}, "pathx": {"dt_max"}}
    for name in (*LRA, "speech-commands"):
        for end in ("", "-causal"):
            ours, plain = (load_recipe(f"{f}-{name}{end}") for f in ("longspike", "spikingssm"))
            one, two = dataclasses.asdict(ours.model), dataclasses.asdict(plain.model)
            differs = {key for key in one if one[key] != two[key]}
            assert differs == {"sets"} | changed.get(name, set()) and ours.model.sets == 2
            assert (ours.train == plain.train) is (name != "pathx")
    pathx = load_recipe("longspike-pathx")
    assert (pathx.model.dt_max, pathx.train.lr, pathx.train.batch) == (0.01, 0.0005, 32)
    assert pathx.train.steps == 250_000
    assert [load_recipe(f"longspike-{t}").model.state for t in ("text", "speech-commands")] == [
        64,
        32,
    ]


def test_every_recipe_is_in_the_readme():
    text = README.read_text()
    missing = [name for name in recipe_names() if f"`{name}`" not in text]
    assert not missing


def test_a_schedule_of_steps_ends_training_with_the_epoch_it_ends_in():
    train = load_recipe("spikingssm-smnist-published").train
    assert train.whole_epochs(1080) == 84  # 83 epochs of 1080 steps are 89,640, not yet 90,000
    assert train.whole_epochs(500) == 100
    assert load_recipe("gsu-smnist").train.whole_epochs(859) == 10
    factors = [lr_factor(step, 90_000, 1000.0) for step in (0, 999, 1000, 45_500, 90_000, 90_719)]
    assert factors == pytest.approx([0.001, 1, 1, 0.5, 0, 0], abs=1e-12)


def test_a_copy_with_more_tokens_or_labels_than_the_network_is_refused():
    recipe = load_recipe("binary-s4d-listops")
    data = tiny_data(recipe)
    check_fits(recipe, data)
    with pytest.raises(InputError, match=r"vocabulary: expected at least 19 .*--set model.vocab"):
        check_fits(recipe, dataclasses.replace(data, vocabulary=19))
    with pytest.raises(InputError, match="classes: expected at least 11"):
        check_fits(recipe, dataclasses.replace(data, labels=np.full(len(data), 10)))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("model.readout=mean", "readout=mean: expected 'pair' for data 'aan', got 'mean'"),
        ("model.vocabulary=0", r"vocabulary=0: expected more than 0 \(tokens\)"),
        ("model.classes=1", "classes=1: expected at least 2 for data 'aan', got 1"),
        ("data.name=mnist", "readout: expected 'mean' .*for data 'mnist', got 'pair'"),
        ("train.warmup=1.5", "warmup=1.5: expected a fraction below 1, or a whole number"),
        ("train.steps=-1", "steps=-1: expected at least 0"),
    ],
)
def test_a_network_that_does_not_fit_its_data_is_refused(override, message):
    changes = ["data.valid=9"] if "data.name" in override else []
    with pytest.raises(InputError, match=message):
        load_recipe("gsu-retrieval", [override, *changes])


def test_no_validation_part_means_some_must_be_cut():
    with pytest.raises(InputError, match="valid=0: expected more than 0"):
        load_recipe("gsu-text", ["data.valid=0"])
    assert load_recipe("gsu-listops").data.valid == 0
