"""Real values become integers by what was learned from the training part, worked out by hand."""

import numpy as np
import pytest

from neurossm.errors import FormatError, InputError
from neurossm_models.data import from_arrays, learn, load, task_from_json, task_to_json
from neurossm_models.data.own import values as values_module
from neurossm_models.data.own.statistics import statistics_of

LABELS = np.arange(8) % 2
WHOLE = {"valid": 0.0, "test": 0.0}


def facts_of(x, **more):
    return learn(from_arrays(x, LABELS[: len(x)]), **{**WHOLE, **more})


def test_spikes_stay_spikes():
    x = np.zeros((8, 3, 2), bool)
    x[:, 1] = True
    found = facts_of(x).scaling
    assert found.unit.tolist() == found.scale.tolist() == [1, 1] and not found.offset.any()


def test_whole_numbers_that_fit_stay_and_the_largest_is_one():
    x = np.zeros((8, 3, 1))
    x[2, 1], x[3, 0] = -250, 100
    found = facts_of(x).scaling
    assert (found.unit, found.offset, found.scale) == (1, 0, 1 / 250)
    x[2, 1] = -5000  # beyond 12 bits
    assert facts_of(x).scaling.unit != 1
    assert facts_of(x, bits=13).scaling.unit == 1


def test_real_numbers_lose_their_mean_and_a_deviation_becomes_one():
    x = np.tile([2.5, 4.5, 2.5, 4.5], (8, 1))  # mean 3.5, deviation 1
    found = facts_of(x, bits=10).scaling
    assert (found.offset, found.unit, found.scale) == (3.5, 1 / 512, 1 / 512)
    data = load(from_arrays(x, LABELS), facts=facts_of(x, bits=10))
    assert data.take(slice(1)).inputs.ravel().tolist() == [-512, 512, -512, 512]
    np.testing.assert_array_equal(
        data.inputs * data.factors, np.tile([-1, 1, -1, 1], (8, 1))[..., None]
    )


def test_a_mean_near_zero_stays_and_scale_alone_takes_none_away():
    x = np.tile([-0.95, 1.05], (8, 2))  # mean 0.05, deviation 1
    assert facts_of(x).scaling.offset == 0
    found = facts_of(np.tile([2.5, 4.5], (8, 2)), normalize="scale", bits=10).scaling
    assert (found.offset, found.unit, found.scale) == (0, 4.5 / 512, 4.5 / 512)


def test_channels_that_are_unlike_have_a_scale_each():
    low = np.tile([-0.5, 0.5], (8, 2))
    for factor, apart in ((4, False), (4.1, True)):
        x = np.stack([low, factor * low], axis=2)
        unit = facts_of(x).scaling.unit
        assert (unit[0] != unit[1]) == apart, factor
    x = np.stack([low, 2 * low], axis=2)
    unit = facts_of(x, per_channel="yes").scaling.unit
    assert unit[1] == 2 * unit[0]
    x = np.stack([low, 100 * low], axis=2)
    found = facts_of(x, per_channel="no", bits=10).scaling
    # both as one: largest 50, deviation the root of the mean of 0.5 ** 2 and 50 ** 2
    np.testing.assert_allclose(found.unit, 50 / 512)
    np.testing.assert_allclose(found.scale, 50 / 512 / np.sqrt((0.25 + 2500) / 2))
    x = np.stack([low, low + 300], axis=2)  # the same deviation far away
    assert facts_of(x).scaling.offset.tolist() == [0, 300]


def test_a_channel_that_never_changes_becomes_zero():
    x = np.stack([np.tile([-0.5, 0.5], (8, 2)), np.full((8, 4), 0.1)], axis=2).astype(np.float32)
    facts = facts_of(x, per_channel="yes")
    assert facts.scaling.offset[1] == np.float32(0.1) and facts.scaling.scale[1] == 1
    assert not load(from_arrays(x, LABELS), facts=facts).inputs[:, :, 1].any()
    zero = np.zeros((8, 4, 1))
    assert not load(from_arrays(zero, LABELS), facts=facts_of(zero)).inputs.any()


def test_what_is_beyond_twice_the_training_part_is_clipped_and_counted():
    x = np.tile([-1.5, 1.5], (8, 2))
    facts = facts_of(x, bits=10)
    later = x.copy()
    later[0, 1], later[1, 0] = 3.1, -50
    data = load(from_arrays(later, LABELS), facts=facts)
    assert data.take(slice(None)).clipped == 2 and data.take(slice(1, 3)).clipped == 1
    assert data.inputs.max() == 1023 and data.inputs.min() == -1023
    padded = load(from_arrays(later, LABELS, lengths=[1] * 8), facts=facts)
    assert padded.take(slice(None)).clipped == 1  # the other one is padding


@pytest.mark.parametrize("chunk", [1, 50, 10**6])
def test_statistics_do_not_depend_on_chunks_and_leave_padding_out(chunk, monkeypatch):
    monkeypatch.setattr(values_module, "CHUNK", chunk)
    generator = np.random.default_rng(0)
    x = generator.normal(1e4, [1, 30], (17, 6, 2))  # a mean that squares would drown
    lengths = generator.integers(1, 7, 17)
    counts = np.arange(6) < lengths[:, None]
    x[~counts] = np.nan
    found = statistics_of("x", x, np.arange(17), lengths)
    np.testing.assert_allclose(found.mean, x[counts].mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(found.std, x[counts].std(axis=0), rtol=1e-9)
    assert found.low.tolist() == x[counts].min(axis=0).tolist()
    assert found.high.tolist() == x[counts].max(axis=0).tolist()
    assert found.count == lengths.sum()


def test_the_quiet_behind_a_sequence_is_the_integer_zero():
    x = np.full((8, 4), 77.7)
    x[:, :2] = [2.5, 4.5]
    source = from_arrays(x, LABELS, lengths=[2] * 8)
    facts = learn(source, **WHOLE)
    assert facts.scaling.offset == 3.5 and facts.steps == 2
    assert not load(source, facts=facts).inputs[:, 2:].any()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_number_that_is_not_finite_is_found_where_it_is(bad):
    x = np.random.default_rng(0).normal(size=(8, 4, 3)).astype(np.float32)
    x[5, 2, 1] = bad
    said = r"sample 5, step 2, channel 1 \(from 0\): expected a finite number"
    with pytest.raises(FormatError, match=said):
        learn(from_arrays(x, LABELS), **WHOLE)
    good = facts_of(np.nan_to_num(x, posinf=0))
    with pytest.raises(FormatError, match=said):
        load(from_arrays(x, LABELS), facts=good).take(slice(4, 8))
    learn(from_arrays(x, LABELS, lengths=[2] * 8), **WHOLE)  # behind the sequence nobody asks


def test_numbers_that_are_too_large_are_refused():
    x = np.random.default_rng(0).normal(size=(8, 4))
    facts = facts_of(x)
    x[3, 1] = 1e200
    with pytest.raises(FormatError, match=r"can be squared, got 1e\+200; give values in"):
        facts_of(x)
    x[3, 1] = 1.7e308
    with pytest.raises(InputError, match="expected finite numbers"):
        load(from_arrays(x, LABELS), facts=facts).take(slice(None))


def test_targets_of_a_regression_are_scaled_to_mean_and_deviation():
    y = np.array([[10.0, 1], [14, 1], [10, 1], [14, np.nan]])
    facts = learn(from_arrays(np.ones((4, 3)), y), **WHOLE)
    assert facts.kind == "regression" and facts.classes == 2
    assert facts.target.offset.tolist() == [12, 1] and facts.target.unit.tolist() == [2, 1]
    steps = np.zeros((4, 3, 1))
    steps[:, 0] = [[3], [5], [3], [5]]
    facts = learn(from_arrays(np.ones((4, 3)), steps, lengths=[1] * 4), **WHOLE)
    assert facts.kind == "step-regression"
    assert (facts.target.offset, facts.target.unit) == (4, 1)


def test_facts_are_read_again_to_the_last_bit():
    x = np.random.default_rng(0).normal(1 / 3, [0.1, 7], (20, 4, 2))
    source = from_arrays(x, np.arange(20.0) / 3, dt=0.1 + 0.2, channel_names=["ä", "b"])
    facts = learn(source)
    again = task_from_json(task_to_json(facts))
    for name in ("unit", "offset", "scale"):
        np.testing.assert_array_equal(getattr(again.scaling, name), getattr(facts.scaling, name))
    np.testing.assert_array_equal(again.target.unit, facts.target.unit)
    np.testing.assert_array_equal(again.target.offset, facts.target.offset)
    plain = (
        "steps",
        "scale",
        "classes",
        "bits",
        "dt",
        "kind",
        "features",
        "channel_names",
        "split",
    )
    assert [getattr(again, name) for name in plain] == [getattr(facts, name) for name in plain]
    assert task_to_json(again) == task_to_json(facts)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text[:-3], "facts: expected JSON"),
        (lambda text: "[1]", "facts: expected a table, got list"),
        (lambda text: text.replace('"bits": 12,', ""), "expected key 'bits', got none"),
        (lambda text: text.replace('"classes": 2', '"classes": "two"'), "facts classes"),
        (lambda text: text.replace('"classification"', '"guessing"'), "facts kind"),
        (
            lambda text: text.replace('"class_names": []', '"class_names": [1]'),
            "facts class_names.0: expected a text, got 1",
        ),
        (lambda text: text.replace('"offset": [', '"offset": ["x",'), "facts scaling offset"),
    ],
)
def test_other_text_is_no_facts(change, said):
    text = task_to_json(facts_of(np.ones((8, 3))))
    with pytest.raises(FormatError, match=said):
        task_from_json(change(text))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"bits": 0}, "bits"),
        ({"bits": 24}, "bits: expected 1 to 23"),
        ({"normalize": "minmax"}, "one of standard, scale"),
        ({"per_channel": "maybe"}, "one of auto, yes, no"),
        ({"limit": -1}, "limit"),
        ({"task": "ranking"}, "one of classification, multilabel"),
    ],
)
def test_an_argument_that_is_none_is_refused(more, said):
    with pytest.raises(InputError, match=said):
        facts_of(np.ones((8, 3)), **more)


def test_a_limit_looks_at_samples_of_the_whole_part():
    x = np.zeros((8, 4))
    x[:] = np.arange(8)[:, None] + 0.5
    found = facts_of(x, limit=4, normalize="scale", bits=1).scaling
    assert found.unit == 6.5  # the samples 0, 2, 4, 6; the largest is half of the range
