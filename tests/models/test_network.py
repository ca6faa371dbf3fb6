"""The whole network against a plain NumPy recurrence, token by token, and its recorder."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from neurossm.errors import InputError
from neurossm_models import BinaryS4D, BinaryS4DConfig


def network(mixing="glu", **changes):
    """Return a network in eval mode with trained-looking statistics, in double precision."""
    torch.manual_seed(3)
    settings = {"in_features": 2, "classes": 3, "width": 6, "state": 4, "threshold": 0.3}
    model = BinaryS4D(BinaryS4DConfig(mixing=mixing, **{**settings, **changes})).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_()
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 2)
    return model.eval()


def numpy_network(model, x):
    """Return logits at every step and spikes of each block, by the recurrences alone."""
    p = {name: tensor.detach().numpy() for name, tensor in model.state_dict().items()}

    def linear(name, z):
        return z @ p[f"{name}.weight"].T + p[f"{name}.bias"]

    def norm(name, z):
        spread = np.sqrt(p[f"{name}.running_var"] + 1e-5)
        return (z - p[f"{name}.running_mean"]) / spread * p[f"{name}.weight"] + p[f"{name}.bias"]

    blocks = range(model.config.layers)
    discrete = [block.ssm.discretized() for block in model.blocks]
    states = [np.zeros((len(x), *discrete[0][0].shape), complex) for _ in blocks]
    total, logits, spikes = 0, [], [[] for _ in blocks]
    for t in range(x.shape[1]):
        r = linear("encoder", x[:, t])
        for i in blocks:
            abar, bbar, c, d = discrete[i]
            u = norm(f"blocks.{i}.norm", r)
            states[i] = abar * states[i] + bbar * u[..., None]
            y = 2 * (c * states[i]).sum(-1).real + d * u
            s = (norm(f"blocks.{i}.ssm_norm", y) >= p[f"blocks.{i}.spike.theta"]).astype(float)
            spikes[i].append(s)
            mixed = linear(f"blocks.{i}.mix", s)
            if model.config.mixing == "glu":
                half = mixed.shape[1] // 2
                mixed = mixed[:, :half] / (1 + np.exp(-mixed[:, half:]))
            r = r + mixed
        total = total + linear("decoder", r)
        logits.append(total / (t + 1))
    return np.stack(logits, 1), [np.stack(s, -1) for s in spikes]


@pytest.mark.parametrize("mixing", ["glu", "linear"])
@pytest.mark.parametrize("discretization", ["zoh", "bilinear"])
def test_the_network_means_its_equations(mixing, discretization):
    model = network(mixing, discretization=discretization, init="inv")
    x = np.random.default_rng(0).normal(size=(3, 40, 2))
    logits, spikes = numpy_network(model, x)
    with torch.no_grad():
        recording = model.record(torch.tensor(x))
        sequence = model.forward_sequence(torch.tensor(x))
    np.testing.assert_allclose(sequence.numpy(), logits, atol=1e-9)
    np.testing.assert_allclose(recording.logits.numpy(), logits[:, -1], atol=1e-9)
    for got, expected in zip(recording.spikes, spikes, strict=True):
        assert got.dtype == torch.bool
        np.testing.assert_array_equal(got.numpy(), expected)
    assert recording.rates == pytest.approx([s.mean() for s in spikes])
    assert all(0.05 < rate < 0.95 for rate in recording.rates), "the test sees no spikes"


@pytest.mark.parametrize("mixing", ["glu", "linear"])
def test_token_by_token_equals_the_parallel_form(mixing):
    model = network(mixing)
    x = torch.randn(2, 50, 2, dtype=torch.float64)
    state, steps = model.initial_state(2), []
    with torch.no_grad():
        for t in range(50):
            logits, state = model.step(x[:, t], state)
            steps.append(logits)
        torch.testing.assert_close(torch.stack(steps, 1), model.forward_sequence(x))
        torch.testing.assert_close(steps[-1], model(x))
    assert state.steps == 50


def test_the_future_changes_nothing_in_the_past():
    model = network()
    x = torch.randn(1, 30, 2, dtype=torch.float64)
    changed = x.clone()
    changed[:, 20:] += 1
    with torch.no_grad():
        before, after = model.forward_sequence(x), model.forward_sequence(changed)
    torch.testing.assert_close(before[:, :20], after[:, :20])
    assert not torch.allclose(before[:, 20:], after[:, 20:])


def test_a_step_in_training_mode_and_a_wrong_shape_are_refused():
    model = network()
    with pytest.raises(InputError, match=r"BinaryS4D input: expected shape \(batch, steps, 2\)"):
        model(torch.zeros(1, 5, 3, dtype=torch.float64))
    with pytest.raises(InputError, match="call eval"):
        model.train().step(torch.zeros(1, 2, dtype=torch.float64), model.initial_state(1))


def test_dropout_silences_whole_features_in_training_only():
    model = network("linear", dropout=0.5)
    s = torch.ones(4, 6, 9, dtype=torch.float64)
    block = model.blocks[0]
    assert torch.equal(block.dropout(s), s)
    dropped = block.train().dropout(s)
    assert set(dropped.unique().tolist()) == {0.0, 2.0}
    assert torch.equal(dropped, dropped[..., :1].expand_as(dropped))


def test_submodules_keep_the_names_that_exporters_rely_on():
    names = set(network().state_dict())
    for name in (
        "encoder.weight",
        "blocks.1.norm.running_mean",
        "blocks.1.ssm.log_dt",
        "blocks.1.ssm_norm.running_var",
        "blocks.1.spike.theta",
        "blocks.1.mix.bias",
        "decoder.bias",
    ):
        assert name in names


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mixing": "gluu"}, "did you mean 'glu'"),
        ({"layers": 0}, "model layers: expected at least 1, got 0"),
        ({"state": 3}, "an even number"),
        ({"dropout": 1.0}, "0 <= p < 1"),
        ({"dt_min": 0.0}, "0 < dt_min"),
    ],
)
def test_a_config_refuses_what_makes_no_network(changes, message):
    with pytest.raises(InputError, match=message):
        BinaryS4DConfig(**changes)


def test_importing_the_package_and_its_data_imports_no_torch():
    code = (
        "import sys, neurossm_models, neurossm_models.data as data;"
        "data.load('digits:test:4'); neurossm_models.BinaryS4DConfig();"
        "assert 'torch' not in sys.modules; neurossm_models.S4D; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})
