"""Training on tokens of many lengths, on pairs, with a label at every step; what padding does."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from neurossm.errors import InputError
from neurossm_models import BinaryS4DConfig, Network
from neurossm_models.data import Dataset
from neurossm_models.data.sets import wikitext
from neurossm_models.train import evaluate, train
from neurossm_models.train.evaluation import measure, score, tensors

SMALL = ["model.width=4", "model.state=2", "model.layers=1", "train.epochs=1", "train.batch=2"]
WORDS = ["model.vocabulary=5", "model.classes=5", "model.cutoffs=[2,4]"]
FORMS = ["train.ssm=fft", "train.neuron=loop", "train.steps=0", "train.warmup=0", "train.threads=1"]


def network(**changes):
    torch.manual_seed(0)
    settings = {"vocabulary": 9, "classes": 3, "width": 4, "state": 2, "layers": 2}
    return Network(BinaryS4DConfig(**{**settings, **changes})).use(ssm="fft").eval()


def dataset(inputs, labels, lengths):
    return Dataset("x", "test", inputs, 1.0, labels, "made up", 9, lengths)


@pytest.fixture
def copies(tmp_path, monkeypatch):
    """Write tiny copies of ListOps, AAN and WikiText-103 and look for data there."""
    monkeypatch.setenv("NEUROSSM_DATA", str(tmp_path))
    monkeypatch.setattr(wikitext, "STEPS", 4)
    for folder in ("listops", "aan", "wikitext-103"):
        (tmp_path / folder).mkdir()
    rows = "".join(f"( [MAX {k} ) 3 ) ]\t{max(k, 3)}\n" for k in range(6))
    pairs = "".join(f"{k % 2}.0\ta\tb\t{'ab' * (k + 1)}\t{'b' * 3}\n" for k in range(6))
    for part in ("train", "val", "test"):
        (tmp_path / "listops" / f"basic_{part}.tsv").write_text("Source\tTarget\n" + rows)
    for part in ("train", "eval", "test"):
        (tmp_path / "aan" / f"new_aan_pairs.{part}.tsv").write_text(pairs)
    for part in ("train", "valid", "test"):
        text = "the cat saw the dog\nthe dog\n" * 2
        (tmp_path / "wikitext-103" / f"wiki.{part}.tokens").write_text(text)


@pytest.mark.parametrize(
    ("recipe", "changes", "answers"),
    [
        ("binary-s4d-listops-causal", [], 6),
        ("gsu-retrieval", ["model.vocabulary=12"], 6),
        ("spikingssm-wikitext103", [*WORDS, "model.width=16"], 17),
        ("spikingssm-wikitext103-small", [*WORDS, "data.limit=0"], 17),
    ],
)
def test_a_task_trains_and_is_measured_on_every_answer(copies, tmp_path, recipe, changes, answers):
    result = train(recipe, [*SMALL, *FORMS, *changes], tmp_path / "run")
    assert result.finished and result.epoch == 1
    found = evaluate(tmp_path / "run", "test")
    # WikiText: 4 lines of 5 + 1 and 2 + 1 words, twice: 18 tokens, the last without a label.
    assert found.count == answers and 0 < found.loss < 5 and 0 <= found.correct <= answers
    assert evaluate(tmp_path / "run", "valid").correct == found.correct


def test_a_copy_with_more_words_than_the_recipe_is_refused(copies, tmp_path):
    with pytest.raises(InputError, match=r"--set model\.vocabulary="):
        train("gsu-listops", [*SMALL, *FORMS, "model.vocabulary=3"], tmp_path / "run")


def test_what_stands_in_the_padding_changes_nothing_of_a_causal_network():
    rng = np.random.default_rng(0)
    inputs, lengths = rng.integers(0, 9, (5, 8, 1)), np.array([3, 8, 1, 5, 8])
    other = inputs.copy()
    for row, length in zip(other, lengths, strict=True):
        row[length:] = (row[length:] + 1) % 9
    labels = rng.integers(0, 3, 5)
    model = network()
    one, two = (measure(model, dataset(x, labels, lengths)) for x in (inputs, other))
    assert one == two
    # One at a time and cut to its length, each gives the same answer.
    logits = [model(torch.tensor(x[None, :n, 0])) for x, n in zip(inputs, lengths, strict=True)]
    loss = cross_entropy(torch.cat(logits), torch.tensor(labels)).detach()
    assert one.loss == pytest.approx(float(loss), abs=1e-6)


def test_pairs_are_compared_by_the_means_of_both():
    model = network(readout="pair")
    rng = np.random.default_rng(1)
    lengths = np.array([[4, 6], [6, 2]])
    data = dataset(rng.integers(0, 9, (2, 7, 2)), np.zeros(2, np.int64), lengths)
    x, flat, _ = tensors(data)
    assert x.shape == (4, 6) and flat.tolist() == [4, 6, 6, 2]
    np.testing.assert_array_equal(x[2], data.inputs[1, :6, 0])
    found = model(x, flat)
    single = network()  # the same seed: the same encoder and blocks
    single.decoder = torch.nn.Identity()
    means = [single(x[k, None, :n])[0] for k, n in enumerate(flat)]
    for row, (a, b) in enumerate((means[:2], means[2:])):
        hidden = torch.relu(model.compare[0](torch.cat([a, b, a * b, a - b])))
        torch.testing.assert_close(found[row], model.decoder(hidden))
    for refused in (lambda: model.forward_sequence(x), lambda: model.step(x[:, 0], None)):
        with pytest.raises(InputError, match='the readout "pair"'):
            refused()


def test_a_label_that_asks_for_nothing_does_not_count():
    rng = np.random.default_rng(2)
    labels = np.array([[0, 2, 1], [1, -1, -1]])
    data = dataset(rng.integers(0, 9, (2, 3, 1)), labels, np.array([3, 1]))
    model = network(readout="sequence")
    logits = model(tensors(data)[0]).detach()
    loss, right, asked = score(logits, torch.tensor(labels))
    flat, wanted = logits.reshape(6, 3)[:4], torch.tensor([0, 2, 1, 1])
    assert asked == 4 and right == int((flat.argmax(1) == wanted).sum())
    torch.testing.assert_close(loss, cross_entropy(flat, wanted))
    assert measure(model, data).count == 4
    first = dataclasses.replace(data, lengths=None)
    assert measure(model, first).loss == pytest.approx(float(loss), abs=1e-6)
