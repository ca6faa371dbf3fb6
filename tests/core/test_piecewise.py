"""The stand-ins: relu is exact, the stated errors of sigmoid and gelu are the largest there are."""

import math
from itertools import pairwise

import numpy as np
import pytest

from neurossm.errors import InputError
from neurossm.piecewise import gelu_error, piecewise, ramp, sigmoid_error, silu_error


def evaluate(node, x: np.ndarray) -> np.ndarray:
    segment = np.sum(x[:, None] >= node.knots, axis=1)
    return node.slopes[segment] * x + node.offsets[segment]


GRID = np.linspace(-30, 30, 240_001)
SIGMOID = 1 / (1 + np.exp(-GRID))


def test_relu_is_exact():
    node = piecewise("relu", 3)
    np.testing.assert_array_equal(evaluate(node, GRID), np.maximum(GRID, 0))
    assert (node.max_error, node.channels, node.function) == (0.0, 3, "relu")


def test_the_stated_error_of_the_sigmoid_is_the_largest_on_a_fine_grid():
    node = piecewise("sigmoid", 1)
    measured = np.abs(evaluate(node, GRID) - SIGMOID).max()
    # between grid points 2.5e-4 apart the distance grows by less than slope times distance
    assert measured <= node.max_error <= measured + 2.5e-4 * 0.25
    assert node.max_error < 0.0075
    assert len(node.slopes) == 8


def test_the_segments_keep_the_symmetry_of_the_sigmoid_and_its_range():
    node = piecewise("sigmoid", 1)
    x = np.linspace(0.01, 9, 500)  # a knot belongs to its right, so not on the knots
    np.testing.assert_allclose(evaluate(node, x) + evaluate(node, -x), 1, atol=1e-12)
    y = evaluate(node, GRID)
    assert y.min() >= 0 and y.max() <= 1


def test_the_error_of_any_segments_is_exact():
    # one flat line at 1/2 is wrong by 1/2 at infinity
    flat = sigmoid_error(np.zeros(0), np.zeros(1), np.array([0.5]))
    assert flat == pytest.approx(0.5, abs=1e-12)
    # 0, then 1/2 + x/8, then 1, with knots where the line meets 0 and 1: at +-4 the sigmoid is
    # 0.018, inside its slope is 1/8 where s (1 - s) = 1/8, s = (1 + sqrt(1/2)) / 2 = 0.8536,
    # x = log(s / (1 - s)) = 1.7627, and the line is 0.7203
    found = sigmoid_error(np.array([-4.0, 4.0]), np.array([0, 1 / 8, 0]), np.array([0, 0.5, 1]))
    assert found == pytest.approx(0.8536 - 0.7203, abs=1e-4)


GELU = GRID / 2 * (1 + np.array([math.erf(x) for x in GRID / math.sqrt(2)]))


def test_the_stated_error_of_gelu_is_the_largest_on_a_fine_grid():
    node = piecewise("gelu", 2)
    measured = np.abs(evaluate(node, GRID) - GELU).max()
    # gelu and the segments have slopes within [-0.13, 1.13]: between grid points 2.5e-4 apart they
    # part by less than 1.3 times half the distance
    assert measured <= node.max_error <= measured + 2.5e-4 / 2 * 1.3
    assert node.max_error == pytest.approx(0.01108, abs=2e-6)
    assert (len(node.slopes), node.function, node.channels) == (8, "gelu", 2)


def test_the_tails_of_gelu_are_exact():
    node = piecewise("gelu", 1)
    far = np.array([2.64, 3, 10, 1e6])
    np.testing.assert_array_equal(evaluate(node, -far), 0)
    np.testing.assert_array_equal(evaluate(node, far), far)


def test_no_other_eight_segments_with_these_tails_are_closer_to_gelu():
    # the left tail is off by the error E at -2.635, and three lines must lead from there to 0 (or,
    # by symmetry, further). No line stays within E on any of the three intervals widened by a
    # hundredth: the best one through three points misses each by half of what the middle one
    # lies off the chord of the others
    node = piecewise("gelu", 1)
    for low, high in pairwise(node.knots[:4]):
        x = np.linspace(low - 0.005, high + 0.005, 200)
        y = x / 2 * (1 + np.array([math.erf(v / math.sqrt(2)) for v in x]))
        left, middle, right = np.meshgrid(*[np.arange(200)] * 3, indexing="ij", sparse=True)
        inside = (left < middle) & (middle < right)
        share = (x[middle] - x[left]) / np.where(inside, x[right] - x[left], 1)
        apart = np.abs(y[middle] - (1 - share) * y[left] - share * y[right])
        assert (apart * inside).max() / 2 > node.max_error, (low, high)


def test_the_error_of_any_segments_of_gelu_is_exact():
    # relu: gelu - relu = -|x| Phi(-|x|), extreme where Phi(x) = x phi(x): x = 0.7518, 0.16997
    relu = gelu_error(np.zeros(1), np.array([0.0, 1.0]), np.zeros(2))
    assert relu == pytest.approx(0.16997, abs=1e-5)
    # the same, raised by a half: far out it is off by a half, nowhere by more than 0.66997
    raised = gelu_error(np.zeros(1), np.array([0.0, 1.0]), np.full(2, 0.5))
    assert raised == pytest.approx(0.66997, abs=1e-5)
    assert gelu_error(np.zeros(1), np.array([0.1, 1.0]), np.zeros(2)) == math.inf


@pytest.mark.parametrize(
    ("function", "true", "stated"),
    [("tanh", np.tanh(GRID), 0.01393), ("silu", GRID * SIGMOID, 0.02026)],
)
def test_the_stated_errors_of_tanh_and_silu_are_the_largest_on_a_fine_grid(function, true, stated):
    node = piecewise(function, 1)
    measured = np.abs(evaluate(node, GRID) - true).max()
    # slopes are within [-0.1, 1.1]: between grid points they part by little
    assert measured <= node.max_error <= measured + 2.5e-4 / 2 * 1.2
    assert node.max_error == pytest.approx(stated, abs=1e-5)
    assert len(node.slopes) == 8


def test_the_error_of_any_segments_of_silu_is_exact():
    # relu: the distance |x| sigmoid(-|x|) is extreme where x = 1 + exp(-x): x = 1.27846, 0.27846
    relu = silu_error(np.zeros(1), np.array([0.0, 1.0]), np.zeros(2))
    assert relu == pytest.approx(0.27846, abs=1e-5)
    assert silu_error(np.zeros(1), np.array([0.1, 1.0]), np.zeros(2)) == math.inf


@pytest.mark.parametrize(
    ("function", "true"),
    [("abs", np.abs(GRID)), ("relu6", np.minimum(np.maximum(GRID, 0), 6)),
     ("hardsigmoid", np.minimum(np.maximum(GRID / 6 + 0.5, 0), 1))],
)  # fmt: skip
def test_functions_of_straight_pieces_are_exact(function, true):
    node = piecewise(function, 1)
    np.testing.assert_allclose(evaluate(node, GRID), true, rtol=0, atol=1e-15)
    assert node.max_error == 0


def test_a_ramp_has_the_pieces_that_it_is_given():
    node = ramp("clamp", 2, [-1, 2], [0, 1, 0], [-1, 0, 2])
    np.testing.assert_array_equal(evaluate(node, GRID), np.minimum(np.maximum(GRID, -1), 2))
    assert (node.function, node.max_error, node.channels) == ("clamp", 0.0, 2)


def test_another_function_is_refused():
    with pytest.raises(InputError, match=r"expected relu \| .* \| sigmoid \| .*, got 'softplus'"):
        piecewise("softplus", 1)
