"""Boundary compression: certified spikes are the sequential neuron's, and so are all in the end."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neurossm.errors import InputError
from neurossm_models import LIF
from neurossm_models.neurons import lif_loop, lif_native
from neurossm_models.neurons.boundary import boundary, compress
from neurossm_models.neurons.membrane import budget

ANY = st.one_of(
    st.floats(-4, 4, width=32),
    st.sampled_from([1.0, 0.99999994, 1.0000001, 0.0, -0.0, 1e-30, 1e4, -1e4, 1e30, -1e30]),
    st.sampled_from([1e38, -1e38, 3e38, -3e38, math.inf, -math.inf, math.nan]),
)


def leaks(count):
    return st.lists(st.floats(0, 0.95), min_size=count, max_size=count)


@st.composite
def problems(draw):
    features, batch = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    length = draw(st.sampled_from([1, 2, 3, 8, 17, 40]))
    count = features * batch * length
    dtype = draw(st.sampled_from([torch.float32, torch.float64]))
    values = draw(st.lists(ANY, min_size=count, max_size=count))
    y = torch.tensor(values, dtype=dtype).view(features, batch, length)
    jumps = st.lists(st.floats(0, 5), min_size=features, max_size=features)
    if draw(st.booleans()):
        jumps = st.just([0.0] * features)
    parameters = [torch.tensor(draw(s), dtype=dtype) for s in (*2 * [leaks(features)], jumps)]
    return y, *parameters, draw(st.sampled_from(["soft", "none"]))


@pytest.mark.parametrize("scheme", ["two-sided", "chain"])
@settings(max_examples=60, deadline=None)
@given(problem=problems(), iterations=st.sampled_from([None, 0, 1, 2, 3]))
def test_certified_spikes_and_in_the_end_all_are_the_sequential_ones(scheme, problem, iterations):
    y, tau, rho, kappa, reset = problem
    expected = lif_loop(y, tau, rho, kappa, reset=reset)
    found = compress(y, tau, rho, kappa, reset=reset, scheme=scheme, iterations=iterations)
    assert torch.equal(found.spikes, expected)
    assert found.spikes.dtype == y.dtype
    assert found.undecided == pytest.approx(1 - found.certified.double().mean().item())


@pytest.mark.parametrize("scheme", ["two-sided", "chain"])
@settings(max_examples=60, deadline=None)
@given(problem=problems(), iterations=st.sampled_from([1, 2, 3, 50]))
def test_what_is_certified_needs_no_finish(scheme, problem, iterations):
    """Rows are not finished here: certified entries must be right as the bounds left them."""
    y, tau, rho, kappa, reset = problem
    expected = lif_loop(y, tau, rho, kappa, reset=reset)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("neurossm_models.neurons.boundary._finish", lambda *_: None)
        found = compress(y, tau, rho, kappa, reset=reset, scheme=scheme, iterations=iterations)
    assert torch.equal(found.spikes[found.certified], expected[found.certified])


def test_nothing_is_certified_where_numbers_end():
    y = torch.tensor([[[0.5, float("nan"), 2.0], [0.5, 2.0, 0.5]]])
    parameters = (torch.tensor([0.5]), torch.tensor([0.0]), torch.tensor([0.0]))
    found = compress(y, *parameters)
    assert not found.certified[0, 0].any() and found.certified[0, 1].all()
    assert torch.equal(found.spikes, lif_loop(y, *parameters, reset="soft"))
    huge = torch.full((1, 1, 4), 1e300, dtype=torch.float64)  # squares overflow in the margin
    parameters = tuple(p.double() for p in parameters)
    found = compress(huge, *parameters)
    assert not found.certified.any() and found.spikes.tolist() == [[[1, 1, 1, 1]]]


# 3e38 is almost the largest float32, 3.40e38. With tau = 1/2 membranes are, in float32:
#   3e38*, 1.5e38 + 3e38 = inf*, inf - 3e38 = inf*, inf*        in double: 4.5e38*, -0.75e38, ...
#   1e38*, 1e38/2 - 3e38 = -2.5e38, -1.25e38 + 3e38*, ...       no overflow
AT_THE_END = [
    ([3e38, 3e38, -3e38, 0.0], [1, 1, 1, 1], False),
    ([1e38, -3e38, 3e38, -1e38], [1, 0, 1, 0], None),
    ([1e30, -1e31, 1e31, -1e30], [1, 0, 1, 1], True),
    ([math.inf, -1.0, -3e38, 0.0], [1, 1, 1, 1], False),
]


@pytest.mark.parametrize("scheme", ["two-sided", "chain"])
@pytest.mark.parametrize("reset", ["soft", "none"])
@pytest.mark.parametrize(("y", "spikes", "certain"), AT_THE_END)
def test_nothing_is_certified_where_a_membrane_may_overflow(y, spikes, certain, reset, scheme):
    rows, parameters = torch.tensor([[y]]), [torch.tensor([p]) for p in (0.5, 0.0, 0.0)]
    found = compress(rows, *parameters, reset=reset, scheme=scheme)
    assert found.spikes[0, 0].tolist() == spikes
    for run in (lif_native, lif_loop):
        assert run(rows, *parameters, reset=reset)[0, 0].tolist() == spikes
    if certain is not None:
        assert bool(found.certified.any()) is certain


def test_the_gradient_is_finite_where_sums_of_the_sequence_overflow():
    y = torch.tensor([[[3e38, -1e38, 0.5, 0.5, 1.25]]]).repeat(1, 1, 3).requires_grad_()
    tau, none = torch.tensor([0.0]), torch.tensor([0.0])
    spikes = boundary(y, tau, none, none, reset="soft")
    assert torch.equal(spikes, lif_loop(y, tau, none, none, reset="soft"))
    (grad,) = torch.autograd.grad(spikes.sum(), y)
    assert torch.isfinite(grad).all()


def test_inputs_of_another_type_or_shape_are_refused():
    parameters = [torch.tensor([p]) for p in (0.5, 0.0, 0.0)]
    with pytest.raises(InputError, match="input: expected float32 or float64, got int64"):
        compress(torch.ones(1, 1, 4, dtype=torch.int64), *parameters)
    with pytest.raises(InputError, match=r"input: expected shape \(1, batch, steps\)"):
        compress(torch.ones(2, 1, 4), *parameters)


def plain_chain(y, tau, rho, kappa, count):
    """Return s_0 = 0 and `count` applications of F, by direct convolution in double precision."""
    steps = np.arange(len(y))
    kernel = np.concatenate([[0.0], (tau ** (steps + 1) + kappa * rho**steps)[:-1]])
    a = np.convolve(tau**steps, y)[: len(y)]
    chain = [np.zeros(len(y), bool)]
    for _ in range(count):
        chain.append(a - np.convolve(kernel, chain[-1])[: len(y)] >= 1)
    return chain


@pytest.mark.parametrize(("rho", "kappa"), [(0.0, 0.0), (0.5, 0.5)])
def test_iterates_bracket_the_spikes_and_certify_where_two_agree(rho, kappa):
    y, tau = np.random.default_rng(5).normal(size=300), 0.8
    chain = plain_chain(y, tau, rho, kappa, 40)
    rows = torch.tensor(y)[None, None]
    parameters = [torch.tensor([p], dtype=torch.float64) for p in (tau, rho, kappa)]
    spikes = lif_loop(rows, *parameters, reset="soft")[0, 0].numpy() > 0
    assert np.array_equal(chain[-1], spikes) and np.array_equal(chain[-2], spikes)
    for k in range(1, 40):
        if k % 2:
            assert (chain[k] >= spikes).all() and (chain[k] <= chain[max(k - 2, 1)]).all()
        else:
            assert (chain[k] <= spikes).all() and (chain[k] >= chain[k - 2]).all()
        found = compress(rows, *parameters, scheme="chain", iterations=k)
        assert np.array_equal(found.certified[0, 0].numpy(), chain[k] == chain[k - 1])
    assert not (chain[3] == chain[2]).all(), "the test converges at once"


# Section "measured convergence" of our notes: two-sided, N(0, 1), 64 rows of 1024 steps; another
# sample, so within a tenth of the share and 0.0005.
TABLE = [
    (0.125, 0.0, 0.0, {1: 0.033, 2: 0.0011}, 6),
    (0.5, 0.0, 0.0, {1: 0.151, 2: 0.043, 3: 0.011, 5: 0.0007}, 13),
    (0.5, 0.5, 0.5, {1: 0.186, 2: 0.087, 3: 0.034, 5: 0.006}, 17),
]


@pytest.mark.parametrize(("tau", "rho", "kappa", "undecided", "at_most"), TABLE)
def test_bounds_meet_as_fast_as_was_measured(tau, rho, kappa, undecided, at_most):
    torch.manual_seed(1)
    y = torch.randn(1, 64, 1024)
    parameters = [torch.tensor([p]) for p in (tau, rho, kappa)]
    for iterations, share in undecided.items():
        found = compress(y, *parameters, scheme="two-sided", iterations=iterations)
        assert found.undecided == pytest.approx(share, rel=0.1, abs=5e-4)
        assert found.iterations == iterations
    for scheme in ("two-sided", "chain"):
        found = compress(y, *parameters, scheme=scheme)
        # a membrane within rounding of the threshold stays open: none or one in 65,536
        assert found.undecided <= 2e-5
        assert found.iterations <= at_most <= budget(tau, rho, kappa, 1024)


def test_the_budget_follows_the_memory_of_the_kernel():
    assert budget(0.0, 0.9, 0.0, 1000) == 10  # no trace: rho does not matter
    assert budget(0.5, 0.0, 0.0, 1000) == 20
    assert budget(0.5, 0.75, 0.1, 1000) == 60
    assert budget(0.9, 0.9, 1.0, 7) == 8


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"reset": "hard"}, "form 'boundary': expected a soft reset.*got hard"),
        ({"kappa": -0.1}, "no negative kappa.*got -0.1"),
        ({"tau": -0.1}, "no negative tau"),
        ({"rho": -0.5}, "no negative rho"),
        ({"tau": 1.0}, "tau below 1, got 1"),
        ({"kappa": float("nan")}, "kappa.*got nan"),
        ({"scheme": "chian"}, "did you mean 'chain'"),
    ],
)
def test_what_the_bounds_do_not_hold_for_is_refused(changes, message):
    values = {"tau": 0.5, "rho": 0.5, "kappa": 0.5, **changes}
    parameters = [torch.tensor([values.pop(name)]) for name in ("tau", "rho", "kappa")]
    with pytest.raises(InputError, match=message):
        compress(torch.zeros(1, 1, 4), *parameters, **values)


def test_the_gradient_is_that_of_one_application_at_the_solution():
    # v = 1.25*, then 0.5 * (1.25 - 1) + 1 = 1.125, trace 0.25 * 1: excess 0.25 and -0.125
    y = torch.tensor([[[1.25, 1.0]]], requires_grad=True)
    tau, rho, kappa = (torch.tensor([p], requires_grad=True) for p in (0.5, 0.5, 0.25))
    spikes = boundary(y, tau, rho, kappa, reset="soft", surrogate="triangle")
    assert spikes.tolist() == [[[1, 0]]]
    (spikes * torch.tensor([1.0, 2.0])).sum().backward()
    slopes = 0.75, 0.875  # of the triangle, 1 - |excess|
    second = 2 * slopes[1]
    # through the reset there would be another -(tau + kappa) * 0.75 in the first
    assert y.grad[0, 0].tolist() == pytest.approx([slopes[0] + 0.5 * second, second])
    assert tau.grad.item() == pytest.approx((1.25 - 1) * second)
    assert kappa.grad.item() == pytest.approx(-1 * second)
    assert rho.grad.item() == pytest.approx(0, abs=1e-6)  # the trace is one step old


def test_the_layer_computes_the_same_spikes_in_this_form():
    torch.manual_seed(0)
    neuron = LIF(6, tau=0.6, reset="soft", rho=0.5, kappa=0.4)
    y = torch.randn(6, 5, 90)
    expected = neuron(y)
    neuron.form = "boundary"
    spikes = neuron(y)
    assert torch.equal(spikes, expected)
    spikes.sum().backward()
    assert (neuron.log_theta.grad != 0).all() and (neuron.log_kappa.grad < 0).all()
