"""Which weights pruning keeps, by hand: shares of layers, ties, schedules."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_graphs import QUICK

from neurossm.errors import InputError
from neurossm.sparsity import chosen, densities, masks, sparsity_at, worth

A = np.array([[4.0, -1.0], [0.5, -3.0]])
B = np.array([[2.0, -2.0, 2.0, 0.1]])


def test_global_compares_all_magnitudes():
    # 4 of 8 are kept: 4, 3, and of the three magnitudes of 2 the first two
    found = masks({"a": A, "b": B}, 0.5, "global")
    assert found["a"].tolist() == [[True, False], [False, True]]
    assert found["b"].tolist() == [[True, True, False, False]]


def test_layer_keeps_the_same_share_of_each():
    found = masks({"a": A, "b": B}, 0.75, "layer")
    assert found["a"].tolist() == [[True, False], [False, False]]
    assert found["b"].tolist() == [[True, False, False, False]]


def test_a_layer_keeps_one_weight_at_least():
    small = {"a": A, "b": B / 1000}
    assert masks(small, 0.75, "global")["b"].tolist() == [[True, False, False, False]]
    assert masks(small, 0.99, "layer")["a"].sum() == 1
    assert masks({"zeros": np.zeros((2, 3))}, 0.9)["zeros"].sum() == 1


def test_erk_gives_each_layer_a_share_in_proportion_to_its_sides():
    # (10 + 30) / 300 and (20 + 20) / 400: of 700 weights 140 are kept, in proportion to 40 and 40
    found = densities({"a": (10, 30), "b": (20, 20)}, 0.8)
    assert found == {"a": pytest.approx(70 / 300), "b": pytest.approx(70 / 400)}
    kept = masks({"a": np.ones((10, 30)), "b": np.ones((20, 20))}, 0.8)
    assert (kept["a"].sum(), kept["b"].sum()) == (70, 70)


def test_erk_keeps_all_of_a_layer_that_would_keep_more():
    # 64 + 4096 + 4096 + 640 weights, 10% kept: 889.6. The encoder's 65 of 64 are too many: 825.6
    # are left for sides of 128, 128 and 74, in proportion
    found = densities({"encoder": (64, 1), "b": (64, 64), "c": (64, 64), "d": (10, 64)}, 0.9)
    assert found["encoder"] == 1
    each = 825.6 / (128 + 128 + 74)
    assert found["b"] == found["c"] == pytest.approx(128 * each / 4096)
    assert found["d"] == pytest.approx(74 * each / 640)


SHAPES = st.dictionaries(
    st.sampled_from("abcd"), st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1
)


@settings(QUICK)
@given(SHAPES, st.floats(0, 0.999))
def test_erk_keeps_as_many_as_it_was_asked_for(shapes, sparsity):
    found = densities(shapes, sparsity)
    sizes = {name: rows * columns for name, (rows, columns) in shapes.items()}
    kept = sum(found[name] * size for name, size in sizes.items())
    assert kept == pytest.approx((1 - sparsity) * sum(sizes.values()))
    assert all(0 < share <= 1 + 1e-12 for share in found.values())


def test_both_parts_of_a_complex_weight_are_kept_or_neither():
    # magnitudes 5, 1 and 2: of three weights one is left of six numbers with a share of a half, as
    # the third number is one part of the second largest
    weight = np.array([[3.0, 0, 2], [4.0, 1, 0.1]])
    found = masks({"into": weight}, 0.5, "layer", ["into"])["into"]
    assert found.tolist() == [[True, False, False], [True, False, False]]
    found = masks({"into": weight, "other": np.full((1, 3), 1.5)}, 0.3, "global", ["into"])
    # 6 of 9 are kept: 5 and 5, 2 and 2, and two of 1.5
    assert found["into"].tolist() == [[True, False, True], [True, False, True]]
    assert found["other"].tolist() == [[True, True, False]]
    one = masks({"into": weight}, 0.9, "layer", ["into"])["into"]
    assert one.tolist() == [[True, False, False], [True, False, False]]


def test_the_cubic_rises_from_nothing_to_all():
    # at a quarter of the way 1 - (3/4)**3 = 37/64 of it is done
    found = [sparsity_at(step, 100, 500, 0.64) for step in (0, 100, 200, 300, 499, 500, 900)]
    assert found == pytest.approx([0, 0, 0.37, 0.64 * 7 / 8, 0.64, 0.64, 0.64], abs=1e-6)
    assert found[-3] < 0.64 == found[-2] == found[-1]


def test_a_matrix_is_worth_it_with_half_of_its_weights_and_64_of_them():
    weight = np.ones((8, 8))
    weight[4:] = 0
    assert worth(weight) and not worth(weight[:, 1:])
    weight[4, 0] = 1
    assert not worth(weight) and not worth(0 * weight)


def test_layers_are_chosen_by_patterns():
    names = ["encoder", "blocks.0.mix", "blocks.1.mix"]
    assert chosen("layers", names, []) == names
    assert chosen("layers", names, ["blocks.*", "blocks.0.mix"]) == names[1:]
    with pytest.raises(InputError, match=r"layers of encoder, .*got 'encode'; did you mean"):
        chosen("layers", names, ["encode"])
    with pytest.raises(InputError, match="a layer with weights to prune, got none"):
        chosen("layers", [], [])


@pytest.mark.parametrize("wrong", [1, 1.5, -0.1, "half", True, float("nan")])
def test_a_share_outside_of_0_to_1_is_refused(wrong):
    with pytest.raises(InputError, match="a share of zeros from 0 to below 1"):
        masks({"a": A}, wrong)


def test_another_scope_and_no_weights_are_refused():
    with pytest.raises(InputError, match=r"erk \| layer \| global, got 'local'"):
        masks({"a": A}, 0.5, "local")
    with pytest.raises(InputError, match="layers with weights, got none"):
        masks({}, 0.5)
