"""Language models on a small generated text in the layout of WikiText-103: training, perplexity."""

import json

import numpy as np
import pytest
import small_texts
import torch
from small_texts import CHANGES, STEPS, WORDS

from neurossm.errors import InputError
from neurossm_models import Network
from neurossm_models.data import load
from neurossm_models.data.streams import joined
from neurossm_models.train import (
    Trainer,
    evaluate,
    load_model,
    load_recipe,
    measure,
    train,
)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    yield from small_texts.in_place(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "small"
    train("spikingssm-wikitext103-small", CHANGES, folder)
    return folder


def nats_of(model, stream):
    """Return the mean of -log p of each next word, by the rule of chances of a group and in it."""
    softmax, words = model.decoder, model.encoder
    with torch.no_grad():
        r = model._stream(torch.tensor(stream[None, :-1]))[0][:, 0].T.numpy().astype(np.float64)
    weight, bias = (t.detach().double().numpy() for t in softmax.whole(words))
    scores = np.exp(r @ weight.T + bias)
    head, one, two = np.split(scores, [8 + 2, 8 + 2 + 12], axis=1)
    head /= head.sum(1, keepdims=True)
    chances = np.hstack([head[:, :8], head[:, 8:9] * one / one.sum(1, keepdims=True),
                         head[:, 9:10] * two / two.sum(1, keepdims=True)])  # fmt: skip
    return -np.mean(np.log(chances[np.arange(len(r)), stream[1:]]))


def test_training_learns_what_follows(run):
    lines = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    perplexities = [line["valid_perplexity"] for line in lines]
    assert len(lines) == 5 and perplexities[0] < WORDS + 1
    # even odds: 31; only the words before known, and how often a line ends: about 2.6
    assert perplexities == sorted(perplexities, reverse=True) and 2 < perplexities[-1] < 4
    assert "train_accuracy" not in lines[0]  # of very many tokens the likeliest is not looked for


def test_perplexity_with_carried_states_is_that_of_one_long_sequence(corpus, run):
    model, recipe = load_model(run)
    model.use(ssm="fft", neuron="loop")
    data = load("wikitext103:test")
    assert recipe.train.carry and len(data) == 4 and data.lengths[-1] < STEPS
    carried = evaluate(run, "test")
    stream = joined(data)
    words = np.append(stream.inputs[0, :, 0], stream.labels[0, -1])
    assert stream.shape == (1, 20 * 10 - 1, 1) and carried.count == len(words) - 1
    assert carried.main == "perplexity"
    assert carried.value == pytest.approx(np.exp(nats_of(model, words)), rel=1e-4)
    assert carried.loss == pytest.approx(nats_of(model, words), rel=1e-4)
    whole = measure(model, stream)
    assert carried.scores.values == pytest.approx(whole.scores.values, rel=1e-4)
    # pieces by themselves are something else: each begins with empty states
    alone = evaluate(run, "test", carry=False)
    pieces = [words[k : k + STEPS + 1] for k in range(0, len(words) - 1, STEPS)]
    total = sum(nats_of(model, piece) * (len(piece) - 1) for piece in pieces)
    assert alone.value == pytest.approx(np.exp(total / alone.count), rel=1e-4)
    assert abs(alone.value - carried.value) > 1e-3


def test_a_whole_softmax_is_measured_alike(corpus, run):
    model = load_model(run)[0].use(ssm="fft", neuron="loop")
    data = load("wikitext103:valid")
    found = measure(model, data)
    labels = torch.tensor(data.labels).long()
    with torch.no_grad():
        answers = model(torch.tensor(data.inputs[..., 0]).long())
    asked = labels >= 0
    nats = -answers.gather(-1, labels.clamp(min=0)[..., None])[..., 0][asked]
    assert found.loss == pytest.approx(float(nats.mean()), rel=1e-5)
    assert found.correct == int((answers.argmax(-1) == labels)[asked].sum())


@pytest.mark.parametrize("family", ["spikingssm", "spike-ssm"])
def test_the_published_recipes_learn_too(corpus, tmp_path, family):
    changes = [*CHANGES[:-5], "model.width=16", "model.state=4", "model.layers=1", "train.epochs=3",
               "train.batch=4", "train.steps=0", "train.warmup=2", "train.lr=0.02", *CHANGES[-3:],
               "train.carry=true"]  # fmt: skip
    result = train(f"{family}-wikitext103", changes, tmp_path / "run")
    lines = [json.loads(li) for li in (tmp_path / "run" / "log.jsonl").read_text().splitlines()]
    first, *_, last = (line["valid_perplexity"] for line in lines)
    assert result.metric == "perplexity" and last < 0.9 * first


def test_a_run_goes_on_bit_for_bit(corpus, tmp_path):
    changes = [*CHANGES, "train.epochs=1", "train.batch=4", "model.embedding_dropout=0.2",
               "model.softmax_dropout=0.2", "model.layers=1"]  # fmt: skip
    for stops, folder in (((None,), "whole"), ((3, None), "parts")):
        for index, stop in enumerate(stops):
            train("spikingssm-wikitext103-small", changes, tmp_path / folder, index > 0, stop)
    whole, parts = (load_model(tmp_path / folder)[0].state_dict() for folder in ("whole", "parts"))
    assert whole.keys() == parts.keys()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


def test_loaders_of_ones_own_train_one_too(corpus, tmp_path):
    data = load("wikitext103:train")
    x, y = torch.tensor(data.inputs[:32, :, 0]).long(), torch.tensor(data.labels[:32]).long()
    pairs = torch.utils.data.TensorDataset(x, y)
    loader = torch.utils.data.DataLoader(pairs, batch_size=8)
    config = load_recipe("spikingssm-wikitext103-small", [*CHANGES, "model.layers=1"]).model
    torch.manual_seed(0)
    model = Network(config).use(ssm="fft", neuron="loop")
    trainer = Trainer(model, loader, loader, task="next-step", out=tmp_path / "run", epochs=3,
                      lr=0.01)  # fmt: skip
    result = trainer.fit()
    assert result.metric == "perplexity" and result.valid < 12 and result.best_epoch == 3


def test_only_a_stream_is_carried_on(corpus, run):
    model, data = load_model(run)[0], load("wikitext103:valid")
    with pytest.raises(InputError, match="expected pieces of one stream, in order"):
        measure(model, data.take(np.array([1, 0])), carry=True)
    assert data.select(slice(1, 3)).consecutive and not data.select(slice(0, 4, 2)).consecutive
    with pytest.raises(InputError, match="expected padding in the last piece only"):
        joined(data.__class__(**{**vars(data), "lengths": data.lengths[::-1]}))
    with pytest.raises(InputError, match="with carried states: expected a Network"):
        measure(torch.nn.Linear(1, 1), data, carry=True)
    with pytest.raises(InputError, match="pieces of one stream"):
        train("spikingssm-digits", ["train.carry=true"], run.parent / "other")
