"""Neurons that feed each other through trained delays: by hand, forms, gradients, steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurossm.errors import InputError
from neurossm_models.neurons.recurrent import RecurrentLIF
from neurossm_models.neurons.recurrent_forms import Rule, recurrent_loop, recurrent_native
from neurossm_models.scheduled import Falling

WIDTH, BATCH, STEPS = 7, 19, 23  # more sequences than a part of 16, an odd width


def layer(reset: str = "soft", **changes: object) -> RecurrentLIF:
    torch.manual_seed(4)
    settings = {"tau": 0.5, "scale": 4.0, "longest": 12, "learned_spread": True} | changes
    made = RecurrentLIF(WIDTH, reset=reset, **settings)
    made.sigma = 1.7
    return made


def drive() -> torch.Tensor:
    return torch.rand(WIDTH, BATCH, STEPS, generator=torch.Generator().manual_seed(5)) * 1.5 - 0.2


def by_hand(made: RecurrentLIF, x: np.ndarray, taps: np.ndarray) -> np.ndarray:
    """Return the spikes by the equations of the module, one neuron and lag at a time."""
    weight, tau = made.weight.detach().double().numpy(), made.tau.double().numpy()
    width, batch, length = x.shape
    u, s = np.zeros((width, batch)), np.zeros(x.shape)
    for t in range(length):
        z = np.zeros((width, batch))
        for h in range(width):
            for lag in range(1, min(t, taps.shape[1]) + 1):
                z[h] += taps[h, lag - 1] * s[h, :, t - lag]
        v = tau[:, None] * u + x[..., t] + weight @ z
        s[..., t] = v >= 1
        u = {"soft": v - s[..., t], "hard": np.where(s[..., t] > 0, 0, v), "none": v}[
            made.rule.reset
        ]
    return s


@pytest.mark.parametrize("reset", ["soft", "hard", "none"])
def test_each_form_does_what_the_equations_say(reset):
    made, x = layer(reset), drive()
    n, half = made.delay.detach().double().numpy(), 1 + 1.7  # the factor of sigma begins at 1
    lags = np.arange(1, 20)
    taps = np.maximum(0, half - np.abs(lags - n[:, None])) / half**2
    expected = by_hand(made, x.double().numpy(), taps)
    assert 0.1 < expected.mean() < 0.9
    for form in ("native", "loop"):
        made.form = form
        np.testing.assert_array_equal(made(x).detach().numpy(), expected)


def test_rounded_delays_are_what_is_evaluated():
    made = layer().eval()
    with torch.no_grad():
        made.delay.copy_(torch.tensor([1.0, 1.4, 1.6, 2.5, 3.5, 11.9, 12.0]))
    assert made.steps.tolist() == [1, 1, 2, 2, 4, 12, 12]
    taps = np.zeros((WIDTH, 12))
    taps[np.arange(WIDTH), [0, 0, 1, 1, 3, 11, 11]] = 1
    expected = by_hand(made, drive().double().numpy(), taps)
    np.testing.assert_array_equal(made(drive()).detach().numpy(), expected)


@pytest.mark.parametrize("reset", ["soft", "hard", "none"])
@pytest.mark.parametrize("surrogate", ["triangle", "arctan"])
def test_native_gradients_are_those_of_autograd_in_double_precision(reset, surrogate):
    made, found = layer(reset, surrogate=surrogate, dropout=0.3), []
    kept = made.kept(drive())
    weights = torch.randn(WIDTH, BATCH, STEPS, generator=torch.Generator().manual_seed(6))
    for run, kind in ((recurrent_native, torch.float32), (recurrent_loop, torch.float64)):
        made.to(kind).zero_grad()
        x = drive().to(kind).requires_grad_()
        s = run(x, made.weight, made.taps(), kept.to(kind), made.tau, made.rule)
        (s * weights.to(kind)).sum().backward()
        found.append([s, x.grad, made.weight.grad, made.delay.grad, made.spread.grad])
    assert 0 < (kept == 0).float().mean() < 1
    assert torch.equal(found[0][0].double(), found[1][0])
    for native, loop in zip(*found, strict=True):
        native, loop = native.detach().double(), loop.detach()
        largest = float(loop.abs().max())
        assert largest > 0
        torch.testing.assert_close(native, loop, rtol=1e-4, atol=1e-5 * largest)


def test_the_gradient_of_a_delay_is_the_slope_of_the_triangle():
    """One neuron that spikes once and hears of it: dL/dn by hand."""
    made = RecurrentLIF(1, tau=0.0, reset="soft", longest=8).double()
    made.sigma = 0.0
    with torch.no_grad():
        made.weight.fill_(0.5)
        made.delay.fill_(2.25)
    x = torch.tensor([[[1.0, 0, 0.2, 0.2, 0.2]]], dtype=torch.float64)
    s = made(x)
    assert s.flatten().tolist() == [1, 0, 0, 0, 0]
    # steps 2 and 3 receive 0.75 and 0.25 of 0.5; the triangle at v is 1 - |v - 1|
    v2, v3 = 0.2 + 0.375, 0.2 + 0.125
    (s[..., 2] * 3 + s[..., 3] * 5).sum().backward()
    expected = 3 * v2 * 0.5 * -1 + 5 * v3 * 0.5 * 1
    np.testing.assert_allclose(made.delay.grad.item(), expected, rtol=1e-12)


@pytest.mark.parametrize("reset", ["soft", "hard", "none"])
def test_steps_and_pieces_give_the_same(reset):
    made, x = layer(reset).eval(), drive()
    with torch.no_grad():
        whole = made(x)
        state, found = made.initial_state(BATCH), []
        for x_t in x.unbind(-1):
            s, state = made.step(x_t.T, state)
            found.append(s.T)
        assert torch.equal(torch.stack(found, -1), whole)
        pieces, state = [], made.initial_state(BATCH)
        for piece in x.split([1, 10, 12], -1):
            s, state = made.carry(piece, state)
            pieces.append(s)
        assert torch.equal(torch.cat(pieces, -1), whole)


def test_given_spikes_stay_and_learn_as_those_that_were_found():
    made, x = layer(), drive()
    found = made(x).detach()
    weights = torch.randn(WIDTH, BATCH, STEPS, generator=torch.Generator().manual_seed(6))
    grads = []
    for run in (recurrent_native, recurrent_loop):
        for given in (None, found):
            made.zero_grad()
            kept = torch.ones(WIDTH, BATCH)
            s = run(x, made.weight, made.taps(), kept, made.tau, Rule("soft", "triangle"), given)
            assert torch.equal(s, found)
            (s * weights).sum().backward()
            grads.append(made.weight.grad.clone())
    for other in grads[1:]:
        torch.testing.assert_close(other, grads[0], rtol=1e-4, atol=1e-4)
    silent = torch.zeros_like(found)
    kept = torch.ones(WIDTH, BATCH)
    assert not recurrent_native(
        x, made.weight, made.taps(), kept, made.tau, made.rule, silent
    ).any()


def test_the_width_follows_the_epoch():
    made = layer(sigma=Falling(10.0, 0.1))
    made.at_epoch(50, 100)
    assert made.sigma == pytest.approx(1.0)
    made.at_epoch(0, 100)
    assert made.sigma == 10


def test_delays_that_training_leads_out_of_range_come_back():
    made = layer()
    with torch.no_grad():
        made.delay.copy_(torch.linspace(-3, 15, WIDTH))
    made(drive())
    assert made.delay.min() == 1 and made.delay.max() == 12


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"tau": 1.0}, "tau"), ({"longest": 64}, "longest"), ({"longest": 0}, "longest"),
     ({"start": "zero"}, "start"), ({"scale": -1.0}, "scale"), ({"reset": "weak"}, "reset")],
)  # fmt: skip
def test_other_settings_are_refused_by_name(changes, named):
    with pytest.raises(InputError, match=named):
        RecurrentLIF(3, **{"tau": 0.5} | changes)


def test_the_native_form_takes_single_precision_alone():
    made = layer().double()
    made.form = "native"
    with pytest.raises(InputError, match="float64"):
        made(drive().double())
