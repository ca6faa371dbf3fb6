"""The adaptive embedding and softmax against PyTorch's own, and against their equations."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from neurossm.errors import InputError
from neurossm_models import Network, SpikingSSMConfig
from neurossm_models.train.recipe import load_recipe

# 50 tokens in groups of 10, 20 and 20, of 16, 4 and 1 numbers each
SETTINGS = {"vocabulary": 50, "classes": 50, "cutoffs": (10, 30), "readout": "every-step",
            "width": 16, "state": 4, "layers": 1, "norm": "layer"}  # fmt: skip


def network(**changes):
    torch.manual_seed(0)
    model = Network(SpikingSSMConfig(**{**SETTINGS, **changes})).use(ssm="fft", neuron="loop")
    for start in (model.decoder.projection, model.decoder.groups, model.decoder.group_bias):
        nn.init.normal_(start)
    return model.double().eval()


def of_torch(model):
    """Return PyTorch's adaptive softmax of the same weights; it has no biases of tail tokens."""
    softmax, words = model.decoder, model.encoder
    nn.init.zeros_(softmax.bias[10:])
    other = nn.AdaptiveLogSoftmaxWithLoss(16, 50, [10, 30], div_value=4.0, head_bias=True).double()
    with torch.no_grad():
        rows = torch.cat([words.tables[0], softmax.groups])
        other.head.weight.copy_(rows @ softmax.projection.T)
        other.head.bias.copy_(torch.cat([softmax.bias[:10], softmax.group_bias]))
        for number, tail in enumerate(other.tail, 1):
            tail[0].weight.copy_(words.projections[number].T)
            tail[1].weight.copy_(words.tables[number])
    return other


@torch.no_grad()
def test_likelihoods_are_those_of_pytorch():
    model, r = network(), torch.randn(200, 16).double()
    other = of_torch(model)
    labels = torch.arange(200) % 50
    expected = other.log_prob(r)
    torch.testing.assert_close(model.decoder(r, model.encoder), expected)
    found = model.decoder.of_labels(r, labels, model.encoder)
    torch.testing.assert_close(found, other(r, labels).output)
    likeliest = model.decoder.likeliest(r, model.encoder)
    assert torch.equal(likeliest, expected.argmax(-1))
    assert {int(t) for t in torch.bucketize(likeliest, torch.tensor([9, 29]))} == {0, 1, 2}


@torch.no_grad()
def test_biases_of_rare_tokens_are_those_of_their_group():
    model, r = network(), torch.randn(7, 16).double()
    words, softmax = model.encoder, model.decoder
    scores = (r @ words.projections[2] @ words.tables[2].T + softmax.bias[30:]).numpy()
    odds = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    found = softmax(r, words).exp().numpy()
    np.testing.assert_allclose(found[:, 30:] / found[:, 30:].sum(1, keepdims=True), odds)
    np.testing.assert_allclose(found.sum(1), 1)


@torch.no_grad()
def test_a_token_is_its_row_projected_and_scaled():
    words = network().encoder
    tokens = torch.tensor([[49, 0, 10], [9, 29, 30]])
    found = words(tokens)
    for token, group, row in ((49, 2, 19), (0, 0, 0), (10, 1, 0), (9, 0, 9), (29, 1, 19)):
        expected = 4 * words.projections[group] @ words.tables[group][row]  # sqrt(16)
        torch.testing.assert_close(found[tokens == token][0], expected)
    torch.testing.assert_close(words.whole()[tokens], found)


@torch.no_grad()
def test_labels_are_answered_as_all_tokens_are():
    model, generator = network(), torch.Generator().manual_seed(1)
    x, labels = (torch.randint(0, 50, (3, 20), generator=generator) for _ in range(2))
    labels[0, 3:9] = -1
    lengths = torch.tensor([20, 4, 17])
    whole = model(x)
    found = model(x, lengths, labels)
    asked = (labels >= 0) & (torch.arange(20) < lengths[:, None])
    expected = whole.gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    torch.testing.assert_close(found.of_labels, torch.where(asked, expected, 0))
    assert torch.equal(found.right, asked & (whole.argmax(-1) == labels))
    torch.testing.assert_close(model.forward_sequence(x), whole)
    state = model.initial_state(3)
    for t in range(20):
        answer, state = model.step(x[:, t], state)
        torch.testing.assert_close(answer, whole[:, t])


def test_every_parameter_has_a_gradient_whichever_tokens_there_are():
    model = network().train()
    found = model(torch.full((1, 4), 3), None, torch.full((1, 4), 5))
    assert found.right is None
    (-found.of_labels.mean()).backward()
    assert all(p.grad is not None for p in model.parameters() if p.requires_grad)
    assert float(model.encoder.tables[2].grad.abs().max()) == 0


def test_dropout_takes_numbers_of_tokens_and_of_what_is_held_against_them():
    model = network(embedding_dropout=0.5).train()
    numbers = model.encoder(torch.full((1, 2000), 30))  # one number a token of the last group
    silent = float((numbers == 0).all(-1).float().mean())
    assert 0.45 < silent < 0.55
    softmax = network(softmax_dropout=0.5).train()
    r = torch.randn(1, 16).double().expand(2000, 16)
    inside = softmax.decoder(r, softmax.encoder)[:, 30:].log_softmax(-1)
    assert len(torch.unique(inside[:, 0].detach().round(decimals=9))) == 2


def test_dropout_is_the_same_for_labels_as_for_all_tokens():
    model = network(softmax_dropout=0.5).train()
    x, found = torch.arange(150).view(3, 50) % 50, []
    labels = torch.where(x % 7 == 0, -1, x.flip(1))
    for asked in (None, labels):
        torch.manual_seed(6)
        found.append(model(x, None, asked))
    expected = found[0].gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    torch.testing.assert_close(found[1].of_labels, torch.where(labels >= 0, expected, 0))
    assert (expected - model.eval()(x, None, labels).of_labels)[labels >= 0].abs().min() > 0


@pytest.mark.parametrize("name", ["spikingssm-wikitext103", "spike-ssm-wikitext103"])
def test_the_published_language_model_has_75_million_parameters(name):
    with torch.device("meta"):  # nothing is allocated
        model = Network(load_recipe(name).model)
    # per layer: mixing, C, A, D and dt, threshold, layer norm; SPikE-SSM has a trace's jump more
    layer = 1024 * 2048 + 2048 + 2 * 1024 * 64 + 3 * 1024 + 2 * 1024
    layer += 1024 if name.startswith("spike-ssm") else 0
    sizes, counts = (1024, 256, 64, 16), (19_997, 20_000, 160_000, 67_738)
    assert sum(counts) == 267_735
    tables = sum(d * n for d, n in zip(sizes, counts, strict=True)) + 1024 * sum(sizes)
    softmax = 1024**2 + 3 * 1024 + 3 + 267_735
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert trained == 16 * layer + tables + softmax
    assert round(trained / 1e6) == 75
    fixed = [n for n, p in model.named_parameters() if not p.requires_grad]
    assert fixed == [f"blocks.{k}.ssm.b" for k in range(16)]
    assert load_recipe(name).model.least_parameters <= trained


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"cutoffs": (30, 10)}, r"cutoffs: expected rising numbers below the vocabulary, 50"),
        ({"cutoffs": (10, 50)}, r"below the vocabulary, 50, got \[10, 50\]"),
        ({"cutoffs": (0, 10)}, "cutoffs"),
        ({"classes": 49}, "classes: expected 50 with cutoffs"),
        ({"readout": "mean"}, "readout: expected 'every-step' with cutoffs"),
        ({"vocabulary": 0}, "cutoffs: expected none for values, which are no tokens"),
        ({"vocabulary": 0, "cutoffs": (30, 10)}, r"below the vocabulary, got \[30, 10\]"),
        ({"cutoffs": (), "softmax_dropout": 0.1}, "softmax_dropout: expected 0 without cutoffs"),
    ],
)
def test_cutoffs_that_cut_nothing_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        network(**changes)


def test_labels_are_refused_where_they_cannot_be_answered():
    model, x = network(), torch.zeros(1, 4, dtype=torch.int64)
    with pytest.raises(InputError, match=r"labels: expected shape \(1, 4\), tokens 0 to 49"):
        model(x, None, torch.full((1, 4), 50))
    with pytest.raises(InputError, match=r"got shape \(1, 3\)"):
        model(x, None, x[:, :3])
    with pytest.raises(InputError, match=r"got shape \(0,\)$"):
        model(x, None, x[0, :0])
    plain = Network(SpikingSSMConfig(**{**SETTINGS, "cutoffs": ()})).use(ssm="fft", neuron="loop")
    with pytest.raises(InputError, match=r"expected an adaptive softmax.*say model\.cutoffs"):
        plain(x, None, x)


@torch.no_grad()
def test_initial_values_are_those_of_s4():
    torch.manual_seed(1)
    config = SpikingSSMConfig(**{**SETTINGS, "vocabulary": 4000, "classes": 4000, "width": 64,
                                 "cutoffs": (1000, 2000)})  # fmt: skip
    model = Network(config)
    for table, d in zip(model.encoder.tables, (64, 16, 4), strict=True):
        assert float(table.std()) == pytest.approx(0.5 / math.sqrt(d), rel=0.05)
    for projection in model.encoder.projections:
        assert float(projection.std()) == pytest.approx(0.5 / 8, rel=0.1)
    softmax = model.decoder
    assert not any(p.any() for p in (softmax.projection, softmax.groups, softmax.group_bias))
    assert 0.12 < float(softmax.bias.max()) <= 0.125  # 1/sqrt(64)
