"""Synapses with a trained delay each: by hand, gradients, steps, pieces, windows."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neurossm.errors import InputError
from neurossm_models.delayed_linear import DelayedLinear
from neurossm_models.scheduled import Falling, Scheduled, announce
from neurossm_models.windows import gauss, triangle

IN, OUT, BATCH, STEPS = 3, 5, 4, 20


def layer(**changes: object) -> DelayedLinear:
    torch.manual_seed(1)
    return DelayedLinear(IN, OUT, **{"longest": 9} | changes).double()


def values() -> torch.Tensor:
    return torch.randn(IN, BATCH, STEPS, generator=torch.Generator().manual_seed(2)).double()


def by_hand(made: DelayedLinear, x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    y = np.zeros((OUT, BATCH, STEPS)) + made.bias.detach().numpy()[:, None, None]
    for o in range(OUT):
        for i in range(IN):
            for lag in range(kernel.shape[2]):
                y[o, :, lag:] += kernel[o, i, lag] * x[i, :, : STEPS - lag]
    return y


def test_each_weight_waits_its_own_rounded_delay():
    made = layer().eval()
    weight, steps = made.weight.detach().numpy(), np.rint(made.delay.detach().numpy()).astype(int)
    assert len(np.unique(steps)) > 3
    kernel = np.zeros((OUT, IN, 10))
    for o in range(OUT):
        for i in range(IN):
            kernel[o, i, steps[o, i]] = weight[o, i]
    expected = by_hand(made, values().numpy(), kernel)
    np.testing.assert_allclose(made(values()).detach().numpy(), expected, atol=1e-12)


def test_windows_have_their_published_shapes():
    distance = torch.tensor([-3.0, -1, 0, 1, 2.5]).double()
    expected = [0, (1 + 1.5 - 1) / 2.5**2, 1 / 2.5, 1.5 / 6.25, 0]
    np.testing.assert_allclose(triangle(distance, 1.5).numpy(), expected, atol=1e-15)
    bell = np.exp(-0.5 * (distance.numpy() / 0.5) ** 2)
    found = gauss(distance, 0.23).numpy()  # DCLS: the width is 0.27 more
    np.testing.assert_allclose(found, bell / bell.sum(), atol=1e-12)
    assert gauss(distance + 1e6, 0.23).sum() == 1  # far from all lags


@pytest.mark.parametrize("window", ["gauss", "triangle"])
def test_while_training_windows_spread_what_arrives(window):
    made = layer(window=window)
    made.sigma = 1.2
    weight, n = made.weight.detach().numpy(), made.delay.detach().numpy()
    distance = np.arange(10) - n[..., None]
    if window == "gauss":
        bell = np.exp(-0.5 * (distance / 1.47) ** 2)
        spread = bell / bell.sum(-1, keepdims=True)
    else:
        spread = np.maximum(0, 2.2 - np.abs(distance)) / 2.2**2
    expected = by_hand(made, values().numpy(), weight[..., None] * spread)
    np.testing.assert_allclose(made(values()).detach().numpy(), expected, atol=1e-12)


def test_gradients_of_weights_and_delays_are_those_of_differences():
    made = layer()
    made.sigma = 0.8
    arguments = (made.weight, made.delay)

    def output(weight, delay):
        values_of = {"weight": weight, "delay": delay, "bias": made.bias}
        return torch.func.functional_call(made, values_of, (values(),))[:, 0, -12:]

    assert torch.autograd.gradcheck(output, arguments)


def test_steps_and_pieces_give_the_same():
    made, x = layer().eval(), values()
    with torch.no_grad():
        whole = made(x)
        state, found = made.initial_state(BATCH), []
        for x_t in x.unbind(-1):
            y, state = made.step(x_t.T, state)
            found.append(y.T)
        torch.testing.assert_close(torch.stack(found, -1), whole, rtol=0, atol=1e-12)
        pieces, state = [], made.initial_state(BATCH)
        for piece in x.split([1, 4, 15], -1):
            y, state = made.carry(piece, state)
            pieces.append(y)
        torch.testing.assert_close(torch.cat(pieces, -1), whole, rtol=0, atol=1e-12)


def test_no_delay_at_all_is_a_linear_layer():
    made = layer(longest=0).eval()
    expected = made.weight @ values().reshape(IN, -1) + made.bias[:, None]
    torch.testing.assert_close(made(values()).reshape(OUT, -1), expected)
    y, state = made.step(values()[..., 0].T, made.initial_state(BATCH))
    assert state.shape == (BATCH, 0, IN)
    torch.testing.assert_close(y.T, expected.view(OUT, BATCH, STEPS)[..., 0])


def test_the_published_schedule_ends_after_a_quarter_of_the_epochs():
    """Widths of SNN-delays for SHD: 12 to 0.23 in 37 of 150 epochs, by one factor an epoch."""
    made = DelayedLinear(2, 2, longest=24)
    assert isinstance(made, Scheduled)
    widths = []
    for epoch in range(150):
        announce(torch.nn.Sequential(made), epoch, 148)
        widths.append(made.sigma)
    factor = (0.23 / 12) ** (1 / 37)
    np.testing.assert_allclose(widths[:38], 12 * factor ** np.arange(38), rtol=1e-12)
    assert widths[38:] == [pytest.approx(0.23)] * 112


def test_a_width_of_nothing_stays_and_other_schedules_are_refused():
    assert Falling(0, 1).at(3, 10) == 0
    for wrong in ({"first": -1.0, "last": 0.0}, {"first": 1.0, "last": 0.1, "part": 0.0}):
        with pytest.raises(InputError, match="schedule"):
            Falling(**wrong)


@pytest.mark.parametrize("changes", [{"longest": 64}, {"window": "box"}, {"longest": -1}])
def test_other_settings_are_refused_by_name(changes):
    with pytest.raises(InputError, match=f"DelayedLinear {next(iter(changes))}"):
        layer(**changes)
