"""S5 with ReLU activations: its equations by hand, its forms, pieces of a stream."""

import copy

import numpy as np
import pytest
import torch

from neurossm.errors import InputError
from neurossm_models import Network
from neurossm_models.complex_states import ComplexStates
from neurossm_models.families import FAMILIES

SHAPE = {"in_features": 2, "classes": 3, "width": 5, "state": 8, "blocks": 2, "dt_min": 0.05,
         "dt_max": 0.5}  # fmt: skip


def network(**changes):
    """Return a network in eval mode and double precision, away from its initial symmetries."""
    torch.manual_seed(3)
    model = Network(FAMILIES["s5"].config(**{**SHAPE, **changes})).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_()
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 2)
    return model.eval()


def by_hand(model, x):
    """Return the mean readout at every step and which states are sent, by the equations."""
    p = {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}
    r = np.maximum(x @ p["encoder.weight"].T + p["encoder.bias"], 0)
    sent = []
    for name in (f"blocks.{i}" for i in range(model.config.layers)):
        norm = {k: p[f"{name}.norm.{k}"] for k in ("weight", "bias", "running_mean", "running_var")}
        u = (r - norm["running_mean"]) / np.sqrt(norm["running_var"] + 1e-5)
        u = u * norm["weight"] + norm["bias"]
        a = -np.exp(p[f"{name}.states.log_a_real"]) + 1j * p[f"{name}.states.a_imag"]
        pole = np.exp(np.exp(p[f"{name}.states.log_dt"]) * a)
        half, weight = len(a), p[f"{name}.into.weight"]
        b = np.abs((pole - 1) / a)[:, None] * (weight[:half] + 1j * weight[half:])
        c = p[f"{name}.out.weight"]
        state, out = 0, []
        for t in range(x.shape[1]):
            state = pole * state + u[:, t] @ b.T
            gated = np.where(state.real > 0, state, 0)
            sent.append(state.real > 0)
            y = gated.real @ c[:, :half].T + gated.imag @ c[:, half:].T + p[f"{name}.d"] * u[:, t]
            v = np.maximum(y, 0)
            gate = v @ p[f"{name}.gate.weight"].T + p[f"{name}.gate.bias"]
            out.append(np.maximum(r[:, t] + v / (1 + np.exp(-gate)), 0))
        r = np.stack(out, 1)
    logits = r @ p["decoder.weight"].T + p["decoder.bias"]
    steps = np.arange(1, x.shape[1] + 1)[:, None]
    return logits.cumsum(1) / steps, np.stack(sent).reshape(model.config.layers, -1, *sent[0].shape)


@pytest.mark.parametrize("form", ["auto", "fft", "loop"])
def test_a_network_means_its_equations(form):
    model = network().use(ssm=form)
    x = np.random.default_rng(0).normal(size=(3, 40, 2))
    logits, sent = by_hand(model, x)
    with torch.no_grad():
        recording = model.record(torch.tensor(x))
        np.testing.assert_allclose(
            model.forward_sequence(torch.tensor(x)).numpy(), logits, atol=1e-9
        )
    for got, expected in zip(recording.spikes, sent, strict=True):
        np.testing.assert_array_equal(got.numpy(), expected.transpose(1, 2, 0))
        assert 0.2 < expected.mean() < 0.8
    assert recording.rates == pytest.approx([one.mean() for one in sent])


def test_token_by_token_equals_the_parallel_form_and_the_future_changes_nothing():
    model = network()
    x = torch.randn(2, 30, 2, dtype=torch.float64)
    state, steps = model.initial_state(2), []
    with torch.no_grad():
        for t in range(30):
            logits, state = model.step(x[:, t], state)
            steps.append(logits)
        whole = model.forward_sequence(x)
        torch.testing.assert_close(torch.stack(steps, 1), whole)
        changed = x.clone()
        changed[:, 17] += 1
        after = model.forward_sequence(changed)
    torch.testing.assert_close(after[:, :17], whole[:, :17])
    assert not torch.isclose(after[:, 17:], whole[:, 17:]).any()


@pytest.mark.parametrize("length", [1, 37, 64, 130])
def test_the_native_scan_is_the_loop_with_its_gradients(length):
    torch.manual_seed(1)
    native = ComplexStates(6, blocks=2, dt_min=0.05, dt_max=0.5)
    loop = copy.deepcopy(native).double()
    native.form, loop.form = "native", "loop"
    u, weight = torch.randn(12, 7, length), torch.randn(12, 7, length)
    single, double = u.clone().requires_grad_(), u.double().requires_grad_()
    x, expected = native(single), loop(double)
    (x * weight).sum().backward()
    (expected * weight).sum().backward()
    pairs = [(x, expected), (single.grad, double.grad)]
    pairs += [(a.grad, b.grad) for a, b in zip(native.parameters(), loop.parameters(), strict=True)]
    for one, two in pairs:
        error = (one.double() - two).abs().max() / two.abs().max().clamp(min=1e-3)
        assert error < 1e-5


@torch.no_grad()
def test_pieces_of_a_stream_are_one_long_sequence():
    model = network(readout="every-step")
    x = torch.randn(2, 64, 2, dtype=torch.float64)
    whole, states, parts = model.record(x), None, []
    for start, stop in ((0, 1), (1, 8), (8, 39), (39, 64)):
        part, states = model.record_on(x[:, start:stop], states)
        parts.append(part.logits)
    torch.testing.assert_close(torch.cat(parts, 1), whole.logits)


def test_what_it_cannot_run_is_named():
    layer = ComplexStates(3)
    layer.form = "triton"
    with pytest.raises(InputError, match="ComplexStates form: expected one of auto, native"):
        layer(torch.zeros(6, 1, 2))
    layer.form = "native"
    with pytest.raises(InputError, match="expected float32 on cpu, got float64"):
        layer.double()(torch.zeros(6, 1, 2).double())
    with pytest.raises(InputError, match=r"ComplexStates blocks: expected .*1 to 3"):
        ComplexStates(3, blocks=4)
