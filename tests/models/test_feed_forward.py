"""Feed-forward spiking networks against a plain NumPy recurrence, and in pieces and steps."""

import numpy as np
import pytest
import torch
from family_networks import network

from neurossm.errors import InputError
from neurossm_models import Network
from neurossm_models.families import FAMILIES
from neurossm_models.families.s5_rf import initial_poles


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Threads wait for each other at every small operation, longest on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


NAMES = ("silif", "c-silif", "s5-rf")
SETTINGS = [
    ("silif", {}), ("silif", {"delays": (2, 1), "norm": "none"}), ("c-silif", {"layers": 3}),
    ("s5-rf", {"norm": "none"}), ("s5-rf", {"layers": 4}), ("s5-rf", {"layers": 2, "skip": False}),
]  # fmt: skip


def loud(family, **changes):
    """Return a network whose neurons spike without a norm, too."""
    model = network(family, **changes)
    if model.config.norm == "none":
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                if name in ("encoder.weight", "blocks.1.linear.weight"):
                    parameter.mul_(4)
    return model


def by_hand(model, x):
    """Return the mean readout after every step, and the spikes (B, H, L) of each layer."""
    p = {name: tensor.detach().double().numpy() for name, tensor in model.state_dict().items()}
    layers = range(model.config.layers)
    states = [[0.0, 0.0, 0.0] for _ in layers]
    spikes = [[] for _ in layers]
    total, logits = 0.0, []
    for t in range(x.shape[1]):
        r = x[:, t]
        for k in layers:
            name = f"blocks.{k}"
            before = r
            r = r @ p["encoder.weight" if k == 0 else f"{name}.linear.weight"].T
            if model.config.norm == "batch":
                spread = np.sqrt(p[f"{name}.norm.running_var"] + 1e-5)
                r = (r - p[f"{name}.norm.running_mean"]) / spread
                r = r * p[f"{name}.norm.weight"] + p[f"{name}.norm.bias"]
            spikes[k].append(NEURONS[model.config.family](p, f"{name}.neuron", r, states[k]))
            r = arriving(spikes[k], getattr(model.config, "delays", ()))
            if model.config.family == "s5-rf" and model.config.skip and 0 < k < layers[-1]:
                r = r + before
        total = total + r @ p["decoder.weight"].T + p["decoder.bias"]
        logits.append(total / (t + 1))
    return np.stack(logits, 1), [np.stack(s, -1) for s in spikes]


def arriving(spikes, delays):
    s, delays = np.zeros_like(spikes[-1]), delays or (0,)
    for h in range(s.shape[1]):
        n = delays[h % len(delays)]
        if n < len(spikes):
            s[:, h] = spikes[-1 - n][:, h]
    return s


def silif(p, name, current, state):
    """Equations of the paper as its code has them: w first, reset at the step after a spike."""
    u, w, s = state
    dt = np.exp(p[f"{name}.log_dt"])
    alpha = np.exp(-np.exp(p[f"{name}.log_leak"]) * dt)
    beta = np.exp(-np.exp(p[f"{name}.log_decay"]) * dt)
    a, b = np.clip(p[f"{name}.a"], 0, 1), np.clip(p[f"{name}.b"], 0, 2)
    w = beta * w + a * u + b * s
    u = alpha * (u - s) + (1 - alpha) * (current - w)
    state[:] = u, w, (u >= 1).astype(float)
    return state[2]


def c_silif(p, name, current, state):
    """Equations of the paper as its code has them."""
    z, _, s = state
    pole = -np.exp(p[f"{name}.log_decay"]) + 1j * p[f"{name}.frequency"]
    pole = np.exp(pole * np.exp(p[f"{name}.log_dt"]))
    z = pole * (z - 0.5 * s) + p[f"{name}.b"] * current
    state[:] = z, 0.0, (2 * z.real >= 1).astype(float)
    return state[2]


def s5_rf(p, name, current, state):
    """``z = exp(lambda dt) z + dt B x``; the real parts of what B gives come first."""
    dt, half = np.exp(p[f"{name}.log_dt"]), current.shape[1] // 2
    pole = np.exp((-np.exp(p[f"{name}.log_decay"]) + 1j * p[f"{name}.frequency"]) * dt)
    state[0] = pole * state[0] + dt * (current[:, :half] + 1j * current[:, half:])
    return (state[0].real >= 1).astype(float)


NEURONS = {"silif": silif, "c-silif": c_silif, "s5-rf": s5_rf}


@pytest.mark.parametrize(("family", "changes"), SETTINGS)
def test_a_network_means_its_equations(family, changes):
    model = loud(family, **changes)
    x = np.random.default_rng(0).uniform(0, 1, (3, 60, 2))
    logits, spikes = by_hand(model, x)
    with torch.no_grad():
        recording = model.record(torch.tensor(x))
        sequence = model.forward_sequence(torch.tensor(x))
        state, steps = model.initial_state(3), []
        for t in range(60):
            now, state = model.step(torch.tensor(x[:, t]), state)
            steps.append(now.numpy())
    np.testing.assert_allclose(sequence.numpy(), logits, atol=1e-9)
    np.testing.assert_allclose(np.stack(steps, 1), logits, atol=1e-9)
    np.testing.assert_allclose(recording.logits.numpy(), logits[:, -1], atol=1e-9)
    for got, expected in zip(recording.spikes, spikes, strict=True):
        np.testing.assert_array_equal(got.numpy(), expected)
    assert all(0.02 < rate < 0.95 for rate in recording.rates), recording.rates


@pytest.mark.parametrize(("family", "changes"), [*SETTINGS, ("silif", {"norm": "layer"})])
def test_pieces_of_a_stream_are_the_stream(family, changes):
    model = loud(family, readout="every-step", **changes)
    x = torch.rand(2, 50, 2, dtype=torch.float64)
    with torch.no_grad():
        whole, states, found = model.record(x), None, []
        for piece in x.split((1, 19, 30), 1):
            recording, states = model.record_on(piece, states)
            found.append(recording.logits)
    torch.testing.assert_close(torch.cat(found, 1), whole.logits)


@pytest.mark.parametrize("family", NAMES)
@pytest.mark.parametrize("training", [False, True])
def test_the_native_chain_is_the_plain_path_in_double(family, training):
    single = network(family).float().train(training)
    plain = network(family).train(training).use(neuron="loop")
    plain.load_state_dict(single.state_dict())
    for model in (single, plain):
        for block in model.blocks:
            block.dropout.p = 0.0
    x, weights = torch.rand(5, 37, 2), torch.randn(5, 3)
    found = []
    for model in (single, plain):
        kind = model.decoder.weight.dtype
        logits = model(x.to(kind))
        leaves = list(model.parameters())
        grads = torch.autograd.grad((logits * weights.to(kind)).sum(), leaves)
        found.append((logits.detach(), grads, dict(model.named_buffers())))
    (logits, got, norms), (expected, grads, others) = found
    torch.testing.assert_close(logits.double(), expected, rtol=1e-4, atol=1e-4)
    for (name, _), one, two in zip(plain.named_parameters(), got, grads, strict=True):
        assert (one.double() - two).abs().max() < 1e-3 * two.abs().max() + 1e-6, name
    for name, buffer in norms.items():
        torch.testing.assert_close(buffer.double(), others[name].double(), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("family", NAMES)
def test_gradients_reach_every_parameter(family):
    model = network(family, layers=3).float().train()
    model(torch.rand(6, 40, 2)).square().sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


def test_the_initial_poles_are_those_of_hippo():
    size = 4
    q = np.sqrt(2 * np.arange(size) + 1.0)
    hippo = -(np.tril(np.outer(q, q)) - np.diag(np.arange(size)))
    p = np.sqrt(np.arange(size) + 0.5)
    expected = np.linalg.eigvals(hippo + np.outer(p, p))  # of its normal part
    found = initial_poles(12, 3)
    for k in range(3):
        block = found[4 * k : 4 * k + 4]
        order, other = np.argsort(block.imag), np.argsort(expected.imag)
        np.testing.assert_allclose(block[order], expected[other], atol=1e-12)
    assert len(initial_poles(3, 8)) == 3  # blocks of two at least
    neuron = Network(FAMILIES["s5-rf"].config(width=12, blocks=3)).blocks[0].neuron
    np.testing.assert_allclose(neuron.frequency.detach(), found.imag, rtol=1e-6)
    np.testing.assert_allclose(neuron.log_decay.exp().detach(), 0.5, rtol=1e-6)


def test_synapses_start_as_published_and_have_no_bias():
    torch.manual_seed(0)
    silif = Network(FAMILIES["silif"].config(in_features=50, width=100))
    limit = np.sqrt(6 / 150)  # Xavier
    assert silif.encoder.bias is None and silif.blocks[1].linear.bias is None
    assert 0.99 * limit < silif.encoder.weight.abs().max() <= limit
    s5 = Network(FAMILIES["s5-rf"].config(in_features=50, width=100))
    assert s5.encoder.weight.shape == (200, 50) and s5.blocks[1].linear.weight.shape == (200, 100)
    assert s5.encoder.weight.std().item() == pytest.approx(1 / np.sqrt(50), rel=0.02)
    assert s5.encoder.weight.abs().max() <= 2.0001 / np.sqrt(50) / 0.8796


def test_forms_that_there_are_not():
    for form, family in (("sdn", "silif"), ("boundary", "c-silif"), ("triton", "s5-rf")):
        with pytest.raises(InputError, match="form"):
            network(family).use(neuron=form)
    with pytest.raises(InputError, match="model dt_min, dt_max: expected dt_min <= dt_max"):
        FAMILIES["c-silif"].config(dt_min=1.0)
    with pytest.raises(InputError, match="model dt_min, dt_max: expected dt_min <= dt_max"):
        FAMILIES["s5-rf"].config(dt_min=1.0)
