"""Two sets of modes: by their equations, and as an S4D where there is only one."""

import numpy as np
import torch

from neurossm.engine import run
from neurossm_converters.formats.torch import from_torch
from neurossm_models import S4D, Network, SpikingSSMConfig
from neurossm_models.fractional import FractionalS4D

LENGTH = 40


def by_hand(layer, u):
    """Return the outputs of x' = exp(dt A) x + (exp(dt A) - 1) / A B u, set by set, in NumPy."""
    p = {name: value.detach().double().numpy() for name, value in layer.named_parameters()}
    dt, d = np.exp(p["log_dt"])[:, None], p["d"][:, None]
    a = -np.exp(p["log_a_real"]) + 1j * p["a_imag"]
    b, c = (p[name][..., 0] + 1j * p[name][..., 1] for name in "bc")
    y = d[..., None] * u
    for m in (0, 1):
        omega = 1e-6 + (100 - 1e-6) / (1 + np.exp(-p["omega_logit"][m]))
        eta = 1e-6 + (10 - 1e-6) / (1 + np.exp(-p["eta_logit"][m]))
        own = eta * a - omega
        pole, x = np.exp(dt * own), 0
        for t in range(u.shape[-1]):
            x = pole[:, None] * x + ((pole - 1) / own * b)[:, None] * u[:, :, t, None]
            y[:, :, t] += 2 * (eta * c[:, None] * x).real.sum(-1)
    return y


def layer_and_input():
    torch.manual_seed(1)
    layer = FractionalS4D(3, 4, dt_min=0.05, dt_max=0.5).double()
    with torch.no_grad():
        layer.omega_logit.copy_(torch.tensor([-4.0, -5.0]))
        layer.eta_logit.copy_(torch.tensor([-2.0, -3.0]))
    return layer, torch.randn(3, 2, LENGTH, dtype=torch.float64)


def test_both_sets_have_their_poles_and_weights():
    layer, u = layer_and_input()
    expected = by_hand(layer, u.numpy())
    for form in ("fft", "loop"):
        layer.form = form
        np.testing.assert_allclose(layer(u).detach().numpy(), expected, atol=1e-10)
    layer = layer.float()
    layer.form = "native"
    np.testing.assert_allclose(layer(u.float()).detach().numpy(), expected, atol=1e-5)


def test_it_starts_with_one_set_that_is_the_layer_and_one_that_is_slower():
    layer = FractionalS4D(3, 4)
    np.testing.assert_allclose(layer.omega.detach(), [1e-4, 0.1], rtol=0.02)
    np.testing.assert_allclose(layer.eta.detach(), [1.0, 0.1], rtol=1e-5)
    assert layer.modes == 4 and layer.readout()[0].shape == (3, 4)


def test_a_second_set_that_adds_nothing_leaves_an_s4d():
    layer, u = layer_and_input()
    plain = S4D(3, 4).double()
    plain.load_state_dict(layer.state_dict(), strict=False)
    edge = torch.logit(torch.tensor([0.1, 1e-12], dtype=torch.float64))
    with torch.no_grad():
        layer.eta_logit.copy_(edge)
        layer.omega_logit.fill_(-60)
    torch.testing.assert_close(layer(u), plain(u), atol=1e-4, rtol=1e-4)


def test_an_export_has_twice_the_modes():
    torch.manual_seed(2)
    config = SpikingSSMConfig(
        in_features=2, classes=3, width=4, state=6, sets=2, threshold=0.2, dt_min=0.05, dt_max=0.5
    )
    model = Network(config).eval().double()
    graph = from_torch(model, steps=LENGTH, scale=1 / 255)
    assert [graph.nodes[f"blocks.{i}.ssm"].modes for i in (0, 1)] == [6, 6]
    assert config.states == 12 and "two sets" in config.shape
    pixels = np.random.default_rng(0).integers(0, 256, (3, LENGTH, 2))
    spikes = model.record(torch.tensor(pixels / 255)).spikes
    found = run(graph, pixels, "float").values
    for i, one in enumerate(spikes):
        np.testing.assert_array_equal(found[f"blocks.{i}.neuron"], one.permute(0, 2, 1))
        assert one.any()


def test_a_second_kernel_has_output_weights_of_one_set():
    layer = FractionalS4D(3, 4, bidirectional=True)
    assert layer.c_backward.shape == (3, 2, 2)
    assert layer.backward_readout().shape == (3, 4)
    y = layer(torch.randn(3, 2, LENGTH))
    assert y.shape == (3, 2, LENGTH)
