"""The S4D layer against matrix exponentials, direct sums, and itself in its other form."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.linalg import expm

from neurossm.errors import InputError
from neurossm_models import S4D, BinaryS4DConfig, Network, convolution
from neurossm_models.convolution import fft_convolve
from neurossm_models.initial_modes import initial_modes

FORMS = [(d, i) for d in ("zoh", "bilinear") for i in ("lin", "inv", "legs")]


def layer(init="lin", discretization="zoh", width=3, state=8):
    torch.manual_seed(1)
    ssm = S4D(width, state, init=init, discretization=discretization).double()
    with torch.no_grad():  # away from the symmetric start: B, A and dt all different
        for parameter in ssm.parameters():
            parameter += 0.1 * torch.randn_like(parameter)
    return ssm


def real_block(a, b):
    """Return the 2x2 real matrix and the 2-vector that act as the complex a and b do."""
    return np.array([[a.real, -a.imag], [a.imag, a.real]]), np.array([b.real, b.imag])


def continuous(ssm):
    a = -np.exp(ssm.log_a_real.detach().numpy()) + 1j * ssm.a_imag.detach().numpy()
    b = ssm.b.detach().numpy()
    return np.exp(ssm.log_dt.detach().numpy()), a, b[..., 0] + 1j * b[..., 1]


@pytest.mark.parametrize(("discretization", "init"), FORMS)
def test_the_parallel_forms_equal_the_step_form(discretization, init):
    ssm = layer(init, discretization)
    u = torch.randn(3, 2, 150, dtype=torch.float64)  # (H, B, L)
    x, ys = ssm.initial_state(2), []
    for t in range(150):
        y, x = ssm.step(u[:, :, t].T, x)
        ys.append(y.T)
    for ssm.form in ("auto", "fft", "loop"):
        torch.testing.assert_close(ssm(u), torch.stack(ys, -1), rtol=1e-9, atol=1e-9)
    single = layer(init, discretization).float()
    single.form = "native"
    assert single.form_for(u.float()) == "native"
    torch.testing.assert_close(
        single(u.float()).double(), torch.stack(ys, -1), rtol=1e-4, atol=1e-4
    )


def direct_sum(both, u, lag):
    """Return ``y_t = sum_{s<=t} K[t-s] u_s + sum_{s>=t+lag} K'[s-t-lag] u_s + d u_t``.

    With lag 1 this is what state-spaces/s4 (e757cef, src/models/sequence/kernels/fftconv.py, lines
    96 to 116) and shenshuaijie/SDN (709640e, models/spike/ss4d.py, lines 128 to 141) compute: K'
    reversed fills the 2 L points of their FFT from the end, so K'[0] stands at point 2 L - 1, which
    is the lag -1.
    """
    dt, a, b = continuous(both)
    powers = np.exp(dt[:, None, None] * a[..., None] * np.arange(u.shape[-1]))
    weight = b * np.expm1(dt[:, None] * a) / a
    kernels = []
    for c in (both.c, both.c_backward):
        c = c.detach().numpy()
        kernels.append(2 * np.einsum("hm,hml->hl", (c[..., 0] + 1j * c[..., 1]) * weight, powers))
    (ahead, back), y = (k.real for k in kernels), both.d.detach().numpy()[:, None, None] * u
    for t in range(u.shape[-1]):
        for s in range(u.shape[-1]):
            if s <= t:
                y[..., t] += ahead[:, t - s, None] * u[..., s]
            if s >= t + lag:
                y[..., t] += back[:, s - t - lag, None] * u[..., s]
    return y


def bidirectional():
    torch.manual_seed(4)
    return S4D(3, 8, dt_max=1.0, bidirectional=True).double()


def test_a_second_kernel_runs_backward_from_the_next_step_with_a_c_of_its_own():
    both = bidirectional()
    u = torch.randn(3, 2, 70, dtype=torch.float64)
    expected = torch.tensor(direct_sum(both, u.numpy(), lag=1))
    for form in ("fft", "loop"):
        both.form = form
        torch.testing.assert_close(both(u), expected, rtol=1e-10, atol=1e-10)
    both.form = "native"
    single = both.float()(u.float()).double()
    torch.testing.assert_close(single, expected, rtol=1e-4, atol=1e-4)
    one = u[..., :1].float()  # nothing comes later
    torch.testing.assert_close(
        both(one), both.kernel(1)[:, None] * one + both.d[:, None, None] * one
    )


def test_a_bidirectional_layer_is_that_of_the_released_code():
    released = Path(__file__).parents[1] / "fixtures" / "bidirectional" / "released.json"
    numbers = json.loads(released.read_text())
    values = {name: torch.tensor(v, dtype=torch.float64) for name, v in numbers.items()
              if name != "provenance"}  # fmt: skip
    u, y = (values.pop(name).transpose(0, 1) for name in "uy")
    layer = S4D(2, 4, bidirectional=True).double()
    ahead, back = values.pop("c")
    own = {**layer.state_dict(), **values, "c": ahead, "c_backward": back}
    layer.load_state_dict(own)
    torch.testing.assert_close(layer(u), y, rtol=1e-10, atol=1e-10)


def test_weights_saved_before_the_lag_was_keep_the_meaning_that_they_were_trained_with():
    both, other = bidirectional(), bidirectional()
    saved = {name: value for name, value in both.state_dict().items() if name != "backward_lag"}
    other.load_state_dict(saved)
    u = torch.randn(3, 2, 20, dtype=torch.float64)
    expected = torch.tensor(direct_sum(both, u.numpy(), lag=0))
    torch.testing.assert_close(other(u), expected, rtol=1e-10, atol=1e-10)
    again = bidirectional()
    again.load_state_dict(other.state_dict())  # saved anew
    assert torch.equal(again(u), other(u)) and not torch.allclose(again(u), both(u))


def test_a_bidirectional_layer_has_no_step():
    with pytest.raises(
        InputError, match=r"S4D\.step: expected a causal layer, got a bidirectional"
    ):
        bidirectional().step(torch.zeros(1, 3), torch.zeros(1, 3, 4))


def test_a_form_that_is_not_there_is_named():
    network = Network(BinaryS4DConfig(width=2, state=2, layers=1))
    with pytest.raises(InputError, match="did you mean 'native'"):
        network.use(ssm="nativ")


def test_the_native_form_computes_nothing_in_another_precision():
    ssm = layer()
    u = torch.randn(3, 1, 20, dtype=torch.float64)
    ssm.form = "native"
    with pytest.raises(InputError, match="'native': expected float32 on cpu, got float64 on cpu; "
                       "use 'auto' or 'fft'"):  # fmt: skip
        ssm(u)
    for ssm.form in ("auto", "fft"):  # the remedy
        assert ssm(u).dtype == torch.float64
    with pytest.raises(InputError, match=r"the parameters' float64 on cpu, got float32.*x\.to"):
        ssm(u.float())
    with pytest.raises(InputError, match="input of float32 or float64, got bfloat16 on cpu"):
        ssm.float()(u.bfloat16())
    ssm.form = "nativ"
    with pytest.raises(InputError, match="did you mean 'native'"):
        ssm(u.float())


def test_features_come_first_and_another_shape_is_refused():
    for shape in ((1, 10, 4), (4, 10), (3, 1, 10), (4, 1, 0)):
        with pytest.raises(InputError, match=r"S4D input: expected shape \(4, batch, steps\)"):
            S4D(4, 4)(torch.zeros(shape))
    with pytest.raises(InputError, match=r"got shape \(1, 10, 4\); turn .* x.permute\(2, 0, 1\)"):
        S4D(4, 4)(torch.zeros(1, 10, 4))
    assert S4D(4, 4)(torch.zeros(1, 10, 4).permute(2, 0, 1)).shape == (4, 1, 10)
    with pytest.raises(InputError, match=r"expected shape \(batch, 4\), one time step"):
        S4D(4, 4).step(torch.zeros(4), torch.zeros(1, 4, 2))


@pytest.mark.parametrize("length", [1, 2, 3, 7, 64, 65, 784])
def test_the_kernel_is_the_direct_sum_at_any_length(length):
    ssm = layer("inv")
    abar, bbar, c, _ = ssm.discretized()
    powers = np.cumprod(np.repeat(abar[..., None], length, -1), -1) / abar[..., None]
    expected = 2 * np.einsum("hm,hml->hl", c * bbar, powers).real
    np.testing.assert_allclose(ssm.kernel(length).detach().numpy(), expected, atol=1e-9)


def test_zero_order_hold_is_the_matrix_exponential_of_the_held_system():
    ssm = layer("legs", "zoh")
    dt, a, b = continuous(ssm)
    abar, bbar, _, _ = ssm.discretized()
    for h, m in np.ndindex(a.shape):
        held = np.zeros((3, 3))
        held[:2, :2], held[:2, 2] = real_block(a[h, m], b[h, m])
        stepped = expm(held * dt[h])
        assert abar[h, m] == pytest.approx(stepped[0, 0] + 1j * stepped[1, 0], abs=1e-12)
        assert bbar[h, m] == pytest.approx(stepped[0, 2] + 1j * stepped[1, 2], abs=1e-12)


def test_bilinear_solves_the_trapezoidal_rule():
    ssm = layer("lin", "bilinear")
    dt, a, b = continuous(ssm)
    abar, bbar, _, _ = ssm.discretized()
    for h, m in np.ndindex(a.shape):
        big_a, big_b = real_block(a[h, m], b[h, m])
        left, right = np.eye(2) - dt[h] / 2 * big_a, np.eye(2) + dt[h] / 2 * big_a
        stepped = np.linalg.solve(left, right)
        assert abar[h, m] == pytest.approx(stepped[0, 0] + 1j * stepped[1, 0], abs=1e-12)
        drive = np.linalg.solve(left, dt[h] * big_b)
        assert bbar[h, m] == pytest.approx(drive[0] + 1j * drive[1], abs=1e-12)


def test_discretized_is_double_precision_and_means_the_recurrence():
    torch.manual_seed(0)
    ssm = S4D(4, 6)
    abar, bbar, c, d = ssm.discretized()
    assert [v.dtype for v in (abar, bbar, c, d)] == [np.complex128] * 3 + [np.float64]
    assert abar.shape == bbar.shape == c.shape == (4, 3) and d.shape == (4,)
    u, x, expected = np.random.default_rng(0).normal(size=(4, 60)), 0, []
    for t in range(60):
        x = abar * x + bbar * u[:, t, None]
        expected.append(2 * (c * x).sum(-1).real + d * u[:, t])
    y = ssm(torch.tensor(u[:, None], dtype=torch.float32)).detach().numpy()[:, 0]
    np.testing.assert_allclose(y, np.stack(expected, -1), atol=1e-5)


def test_lin_and_inv_poles_are_the_published_ones():
    lin, b = initial_modes("lin", 6)
    np.testing.assert_allclose(lin, [-0.5, -0.5 + np.pi * 1j, -0.5 + 2j * np.pi])
    np.testing.assert_array_equal(b, [1, 1, 1])
    inv, _ = initial_modes("inv", 4)
    np.testing.assert_allclose(inv, [-0.5 + 4 / np.pi * 3j, -0.5 + 4 / np.pi * (4 / 3 - 1) * 1j])


def test_legs_modes_are_those_of_hippo_plus_its_rank_one_correction():
    state = 8
    hippo, p = np.zeros((state, state)), np.sqrt(np.arange(state) + 0.5)
    for n in range(state):
        hippo[n, n] = -(n + 1)
        for k in range(n):
            hippo[n, k] = -np.sqrt(2 * n + 1) * np.sqrt(2 * k + 1)
    normal = hippo + np.outer(p, p)
    poles, weights = initial_modes("legs", state)
    eigenvalues = np.linalg.eigvals(normal)
    upper = np.sort(eigenvalues.imag[eigenvalues.imag > 0])
    np.testing.assert_allclose(np.sort(poles.imag), upper, rtol=1e-9)
    np.testing.assert_allclose(poles.real, -0.5)
    # b^T exp(S t) b = 2 sum w^2 exp(-t/2) cos(w_n t) gives the unclipped weights.
    drive, times = np.sqrt(2 * np.arange(state) + 1.0), np.linspace(0, 1, 12)
    response = [drive @ expm(normal * t) @ drive for t in times]
    basis = 2 * np.exp(-times / 2)[:, None] * np.cos(np.outer(times, poles.imag))
    squares = np.linalg.lstsq(basis, response, rcond=None)[0]
    np.testing.assert_allclose(weights, np.minimum(np.sqrt(squares), 2), rtol=1e-5)


def test_initial_time_steps_lie_in_their_range():
    dt = S4D(2000, 2, dt_min=0.01, dt_max=0.04).log_dt.exp()
    assert 0.01 <= dt.min() < 0.0102 and 0.0392 < dt.max() <= 0.0401
    assert dt.log().mean().item() == pytest.approx(np.log(0.02), abs=0.03)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"state": 5}, "an even number"),
        ({"init": "lgs"}, "did you mean 'legs'?"),
        ({"discretization": "foh"}, "one of zoh, bilinear"),
        ({"dt_min": 0.2}, "0 < dt_min <= dt_max"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(InputError, match=message.replace("?", r"\?")):
        S4D(**{"width": 2, "state": 4, **arguments})


def plain_convolution(u, kernel):
    """Return the causal convolution as a product with an explicit lower-triangular matrix."""
    length = u.shape[-1]
    lag = torch.arange(length)[:, None] - torch.arange(length)
    matrix = torch.where(lag >= 0, kernel[:, lag.clamp(min=0)], 0.0)
    return torch.einsum("hts,hbs->hbt", matrix, u)


def test_the_fft_convolution_passes_gradcheck():
    u = torch.randn(2, 3, 5, dtype=torch.float64, requires_grad=True)
    kernel = torch.randn(2, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(fft_convolve, (u, kernel))


@pytest.mark.parametrize("length", [1, 6, 31])
def test_the_fft_convolution_and_its_gradients_equal_the_plain_ones(length, monkeypatch):
    torch.manual_seed(2)
    # More features than are transformed at once, and not a multiple of them.
    monkeypatch.setattr(convolution, "_PART", 2 * 3 * length)
    u = torch.randn(19, 3, length, dtype=torch.float64, requires_grad=True)
    kernel = torch.randn(19, length, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(19, 3, length, dtype=torch.float64)
    results = []
    for convolve in (fft_convolve, plain_convolution):
        y = convolve(u, kernel)
        results.append((y, *torch.autograd.grad((y * weight).sum(), (u, kernel))))
    torch.testing.assert_close(*results, rtol=1e-10, atol=1e-10)
