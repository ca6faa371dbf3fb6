"""Losses by formulas on paper."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.utils.class_weight import compute_class_weight

from neurossm.errors import InputError
from neurossm.fixed import TargetScaling
from neurossm_models.data.labels import NOTHING
from neurossm_models.likelihoods import Likelihoods
from neurossm_models.tasks.losses import Loss, balanced_weights

NAN = float("nan")


def test_even_odds_cost_the_logarithm_of_the_classes():
    mean, asked = Loss("classification")(torch.zeros(3, 4), torch.tensor([0, NOTHING, 3]))
    assert float(mean) == pytest.approx(np.log(4)) and asked == 2


def test_steps_behind_the_end_cost_nothing():
    answers = torch.zeros(2, 3, 2)
    answers[0, 2, 0] = 50  # wrong, and behind the end
    labels = torch.tensor([[1, 1, 1], [0, 0, 0]])
    mean, asked = Loss("step-classification")(answers, labels, torch.tensor([2, 3]))
    assert float(mean) == pytest.approx(np.log(2)) and asked == 5


def test_errors_are_squared_in_standard_deviations():
    loss = Loss("regression", target=TargetScaling([2.0, 10.0], [5.0, 0.0]))
    answers = torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    labels = torch.tensor([[5.0, 10.0], [NAN, NAN]], dtype=torch.float64)
    mean, asked = loss(answers, labels)
    assert float(mean) == pytest.approx(((1 - 0) ** 2 + (0 - 1) ** 2) / 2) and asked == 2


def test_a_gap_gives_no_gradient():
    answers = torch.tensor([[1.0], [7.0]], requires_grad=True)
    Loss("regression")(answers, torch.tensor([[0.0], [NAN]]))[0].backward()
    assert answers.grad.flatten().tolist() == [2.0, 0.0]


def test_each_label_costs_its_own():
    labels = torch.tensor([[1, 0], [NOTHING, NOTHING]])
    mean, asked = Loss("multilabel")(torch.tensor([[0.0, 0.0], [9.0, 9.0]]), labels)
    assert float(mean) == pytest.approx(np.log(2)) and asked == 1
    heavy = Loss("multilabel", weights=np.array([3.0, 1.0]))
    assert float(heavy(torch.zeros(1, 2), labels[:1])[0]) == pytest.approx(2 * np.log(2))


def test_balanced_weights_are_those_of_scikit_learn():
    labels = np.array([0] * 6 + [1] * 3 + [3] * 1 + [NOTHING] * 5)
    found = balanced_weights("classification", labels, 4)
    known = labels[labels != NOTHING]
    expected = compute_class_weight("balanced", classes=np.array([0, 1, 3]), y=known)
    assert found[[0, 1, 3]] == pytest.approx(expected) and found[2] == 1
    each = balanced_weights("multilabel", np.array([[1, 1], [0, 1], [0, 0], [-1, -1]]), 2)
    assert each == pytest.approx([2.0, 0.5])
    assert balanced_weights("regression", np.zeros((3, 1)), 1) is None


def test_means_of_parts_make_that_of_all():
    generator = torch.Generator().manual_seed(0)
    answers, labels = torch.randn(20, 3, generator=generator), torch.arange(20) % 3
    loss = Loss("classification", weights=np.array([1.0, 5.0, 0.5]))
    whole, _ = loss(answers, labels)
    parts = [loss(answers[k], labels[k]) for k in (slice(0, 7), slice(7, 20))]
    mean = sum(float(m) * w for m, w in parts) / sum(w for _, w in parts)
    assert float(whole) == pytest.approx(mean)


def test_the_next_value_is_asked_for_in_real_units():
    loss = Loss("next-step", target=TargetScaling([2.0], [5.0]))
    mean, _ = loss(torch.zeros(1, 2, 1), torch.tensor([[[11.0], [NAN]]]), torch.tensor([2]))
    assert float(mean) == 9


@pytest.mark.parametrize(("label", "got"), [(3, "got 3"), (-2, "got -2")])
def test_a_label_beyond_the_answers_is_refused(label, got):
    with pytest.raises(InputError, match=f"expected 0 to 2, an answer each.*{got}"):
        Loss("classification")(torch.zeros(4, 3), torch.tensor([0, -1, label, 2]))


@pytest.mark.parametrize("weights", [None, np.array([1.0, 4.0, 0.5])])
def test_likelihoods_of_labels_have_the_loss_of_all_logits(weights):
    torch.manual_seed(0)
    logits, labels = (
        torch.randn(2, 5, 3).double(),
        torch.tensor([[0, 2, 1, -1, 1], [2, 2, 0, 1, 0]]),
    )
    lengths = torch.tensor([5, 3])
    own = logits.log_softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    kept = Likelihoods(own, logits.argmax(-1) == labels)
    loss = Loss("next-step", weights)
    mean, weight = loss(kept, labels, lengths)
    expected, count = loss(logits, labels, lengths)
    assert float(mean) == pytest.approx(float(expected)) and weight == count
    masked = loss.masked(labels, lengths)
    assert loss.right(kept, masked) == loss.right(logits, masked)
    assert loss.right(Likelihoods(own), masked) == 0
    assert kept.float().dtype == torch.float32 and float(kept.sum()) == pytest.approx(
        float(own.sum())
    )
