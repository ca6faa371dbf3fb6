"""The stand-ins: relu is exact, the sigmoid's stated error is the largest there is."""

import numpy as np
import pytest

from neurossm.errors import InputError
from neurossm.piecewise import piecewise, sigmoid_error


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


def test_another_function_is_refused():
    with pytest.raises(InputError, match=r"expected relu \| sigmoid, got 'gelu'"):
        piecewise("gelu", 1)
