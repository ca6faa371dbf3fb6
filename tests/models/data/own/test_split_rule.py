"""Parts that data do not have are cut by a seed, in proportion, and without tearing groups."""

import numpy as np
import pytest

from neurossm.errors import InputError
from neurossm_models.data import from_arrays, learn, load
from neurossm_models.data.own import SplitRule, parse_split
from neurossm_models.data.own.split import cut


def test_each_class_is_cut_in_proportion():
    labels = np.repeat([0, 1, 2], [100, 40, 20])
    found = cut(SplitRule(0.25, 0.1, seed=3, by="label"), 160, labels, None)
    counts = {part: np.bincount(labels[where]).tolist() for part, where in found.items()}
    assert counts == {"test": [10, 4, 2], "valid": [25, 10, 5], "train": [65, 26, 13]}
    every = np.concatenate(list(found.values()))
    assert sorted(every.tolist()) == list(range(160))


def test_small_classes_share_what_is_to_be_cut_and_keep_one_for_training():
    labels = np.arange(30) // 3  # ten classes of three: a tenth of each would be none
    found = cut(SplitRule(0.1, 0.1, by="label"), 30, labels, None)
    assert len(found["test"]) == len(found["valid"]) == 3
    assert set(labels[found["train"]]) == set(range(10))
    single = cut(SplitRule(0.4, 0.4, by="label"), 4, np.arange(4), None)
    assert len(single["train"]) == 4


def test_a_seed_gives_the_same_parts_again_and_another_seed_others():
    labels = np.arange(200) % 2
    one, again, other = (
        cut(SplitRule(seed=seed, by="label"), 200, labels, None)["test"] for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("seed", range(5))
def test_a_group_is_in_one_part(seed):
    groups = np.random.default_rng(seed).integers(0, 12, 300)
    found = cut(SplitRule(0.2, 0.2, seed, "group"), 300, None, groups)
    inside = {part: set(groups[where]) for part, where in found.items()}
    assert all(inside.values())
    assert not (inside["train"] & inside["test"] or inside["train"] & inside["valid"])
    assert not inside["valid"] & inside["test"]
    largest = np.bincount(groups).max()
    assert abs(len(found["test"]) - 60) <= largest and abs(len(found["valid"]) - 60) <= largest


def test_a_rule_is_read_again_from_its_text():
    rule = SplitRule(0.1 + 0.2, 1 / 3, 7, "group")
    assert parse_split(rule.text) == rule
    assert parse_split("valid=0.2") == SplitRule(valid=0.2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("valid=x", "valid=NUMBER"),
        ("seed=1.5", "seed=NUMBER"),
        ("folds=3", "one of valid, test, seed, by"),
        ("valid=1.5", "0 <= fraction < 1"),
        ("valid=0.6,test=0.6", "below 1 together"),
        ("by=color", "one of label, group, none"),
        ("seed=-1", "at least 0"),
    ],
)
def test_a_rule_that_is_none_is_refused(text, said):
    with pytest.raises(InputError, match=said):
        parse_split(text)


X = np.random.default_rng(0).normal(size=(20, 4, 1))


def test_groups_come_first_then_classes():
    labels, groups = np.arange(20) % 2, np.arange(20) // 2
    assert learn(from_arrays(X, labels, groups=groups)).split.endswith("by=group")
    assert learn(from_arrays(X, labels)).split.endswith("by=label")
    numbers = labels + 0.5 * groups  # whole ones would be noted as classes
    assert learn(from_arrays(X, numbers)).split.endswith("by=none")
    assert learn(from_arrays(X, labels, groups=groups), by="label").split.endswith("by=label")


def test_what_cannot_be_cut_is_refused():
    with pytest.raises(InputError, match="expected data with groups, got none; add groups"):
        learn(from_arrays(X, np.arange(20) % 2), by="group")
    with pytest.raises(InputError, match="by=none or by=group"):
        learn(from_arrays(X, np.zeros(20)), by="label")
    with pytest.raises(InputError, match="at least 3 groups, one a part, got 2"):
        learn(from_arrays(X, np.arange(20) % 2, groups=np.arange(20) % 2))


def test_an_empty_part_is_refused_and_its_remedy_works():
    source = from_arrays(X, np.arange(20) % 2)
    facts = learn(source, valid=0.0)
    with pytest.raises(InputError, match=r"part 'valid' .*: expected samples, got none of 20"):
        load(source, facts=facts, split="valid")
    facts = learn(source, valid=0.2)
    assert len(load(source, facts=facts, split="valid")) == 4


def test_a_part_for_validation_stays_and_the_test_part_is_cut(tmp_path):
    file = tmp_path / "a.npz"
    labels = np.arange(20) % 2
    np.savez(file, train_inputs=X, train_labels=labels, valid_inputs=X[:6], valid_labels=labels[:6])
    facts = learn(file, valid=0.5, test=0.2)
    assert facts.split == "valid=0.0,test=0.2,seed=0,by=label"
    sizes = [len(load(f"{file}:{part}", facts=facts)) for part in ("train", "valid", "test")]
    assert sizes == [16, 6, 4]


def test_parts_of_a_file_stay_and_only_what_is_missing_is_cut(tmp_path):
    file = tmp_path / "a.npz"
    labels = np.arange(20) % 2
    np.savez(file, train_inputs=X, train_labels=labels, test_inputs=X[:6], test_labels=labels[:6])
    facts = learn(file, valid=0.2)
    assert facts.split == "valid=0.2,test=0.0,seed=0,by=label"
    sizes = [len(load(f"{file}:{part}", facts=facts)) for part in ("train", "valid", "test")]
    assert sizes == [16, 4, 6]
