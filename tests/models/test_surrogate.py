"""Spikes: where they are, and what gradient passes them."""

import math

import pytest
import torch

from neurossm_models import Spike, heaviside

NORMAL = 1 / math.sqrt(2 * math.pi)  # the density of the normal distribution at 0


def test_a_spike_is_where_v_is_at_least_zero():
    v = torch.tensor([-1.0, -1e-30, -0.0, 0.0, 1e-30, 2.0])
    assert heaviside(v).tolist() == [0, 0, 1, 1, 1, 1]


@pytest.mark.parametrize(
    ("v", "slope"),
    [(0.0, 1.0), (1 / math.pi, 0.5), (-1 / math.pi, 0.5), (3 / math.pi, 0.1), (-7 / math.pi, 0.02)],
)
def test_the_surrogate_slope_is_that_of_the_arctan(v, slope):
    at = torch.tensor([v], dtype=torch.float64, requires_grad=True)
    (grad,) = torch.autograd.grad(heaviside(at) * 3, at)
    assert grad.item() == pytest.approx(3 * slope)


# of the multi-Gaussian at a distance of 1: 0.15 times the Gaussians of width 3 around -1/2 and 1/2
SIDES = 0.15 * (math.exp(-(1.5**2) / 18) + math.exp(-(0.5**2) / 18))


@pytest.mark.parametrize(
    ("surrogate", "v", "slope"),
    [
        ("triangle", 0.0, 1.0),
        ("triangle", -0.25, 0.75),
        ("triangle", 1.5, 0.0),
        ("fast_sigmoid", 0.0, 1.0),
        ("fast_sigmoid", 0.04, 0.25),
        ("fast_sigmoid", -0.16, 0.04),
        ("boxcar", -0.5, 0.0),
        ("boxcar", 0.5, 1.0),
        ("boxcar", 0.51, 0.0),
        ("double_gaussian", 0.0, (1.15 * 2 - 0.3 / 3) * NORMAL / 2),
        ("double_gaussian", -1.0, (1.15 * 2 * math.exp(-2) - 0.1 * math.exp(-1 / 18)) * NORMAL / 2),
        ("multi_gaussian", 0.0, 1.15 - 0.3 * math.exp(-1 / 72)),
        (
            "multi_gaussian",
            1.0,
            1.15 * math.exp(-2) - 0.15 * (math.exp(-0.125) + math.exp(-1 / 72)),
        ),
        (
            "multi_gaussian",
            -1.0,
            1.15 * math.exp(-2) - 0.15 * (math.exp(-0.125) + math.exp(-1 / 72)),
        ),
    ],
)
def test_the_other_surrogates_have_their_published_slopes(surrogate, v, slope):
    at = torch.tensor([v], dtype=torch.float64, requires_grad=True)
    (grad,) = torch.autograd.grad(heaviside(at, surrogate) * 3, at)
    assert grad.item() == pytest.approx(3 * slope)


def test_each_feature_has_its_own_threshold_and_its_gradient():
    spike = Spike(2, threshold=0.5).double()
    with torch.no_grad():
        spike.theta[1] = 2.0
    v = torch.tensor([[[0.4, 0.5, 0.6]], [[0.5, 2.0, 3.0]]], dtype=torch.float64)  # (H, B, L)
    s = spike(v)
    assert s.tolist() == [[[0, 1, 1]], [[0, 1, 1]]]
    s.sum().backward()
    expected = [
        -sum(1 / (1 + (math.pi * (x - th)) ** 2) for x in row)
        for row, th in (((0.4, 0.5, 0.6), 0.5), ((0.5, 2.0, 3.0), 2.0))
    ]
    assert spike.theta.grad.tolist() == pytest.approx(expected)
    assert spike.step(v[:, :, 0].T).tolist() == [[0, 0]]
    assert spike.step(v[:, :, 1].T).tolist() == [[1, 1]]
