"""The whole network against a plain NumPy recurrence, token by token, and its recorder."""

import subprocess
import sys
from itertools import product

import numpy as np
import pytest
import torch
from small_networks import MIXED_NAMES, NAMES, S4D_NAMES, by_hand, network

from neurossm.errors import InputError
from neurossm_models import BinaryS4DConfig


@pytest.mark.parametrize("family", S4D_NAMES)
@pytest.mark.parametrize("discretization", ["zoh", "bilinear"])
def test_a_network_means_its_equations(family, discretization):
    check_equations(network(family, discretization=discretization, init="inv"))


@pytest.mark.parametrize(
    ("family", "changes"),
    [
        ("binary-s4d", {"mixing": "linear"}),
        ("spikingssm", {"mixing": "linear", "tau": 0.0}),
        ("spike-ssm", {"rho": 0.0}),
        ("gsu", {"threshold": "maximum", "fraction": 0.3}),
        ("binary-s4d", {"delays": (2,), "mixing": "linear"}),
        ("spikingssm", {"delays": (1, 63, 3, 2)}),
        ("spike-ssm", {"delays": (4, 1), "mixing": "linear"}),
        ("prf", {}),
        ("prf", {"amplitude": 2.0, "tau": 1.5, "turns": 2.0}),
        ("d-rf", {}),
        ("d-rf", {"dendrites": 1, "taps": 16, "alpha": 0.2}),
    ],
)
def test_the_other_settings_of_a_family_mean_their_equations(family, changes):
    check_equations(network(family, **changes))


def check_equations(model):
    x = np.random.default_rng(0).normal(size=(3, 70, 2))
    logits, spikes = by_hand(model, x)
    for form in ("auto", "fft", "loop"):
        model.use(ssm=form)
        with torch.no_grad():
            recording = model.record(torch.tensor(x))
            sequence = model.forward_sequence(torch.tensor(x))
        np.testing.assert_allclose(sequence.numpy(), logits, atol=1e-9)
        np.testing.assert_allclose(recording.logits.numpy(), logits[:, -1], atol=1e-9)
        for got, expected in zip(recording.spikes, spikes, strict=True):
            assert got.dtype == torch.int8
            np.testing.assert_array_equal(got.numpy(), expected)
        assert recording.rates == pytest.approx([np.abs(s).mean() for s in spikes])
    assert all(0.05 < rate < 0.95 for rate in recording.rates), "the test sees no spikes"
    if model.config.family == "gsu":
        assert all((s < 0).any() and (s > 0).any() for s in spikes), "the test sees one sign"


MIXINGS = [(family, {"mixing": kind}) for family in MIXED_NAMES for kind in ("glu", "linear")]
UNMIXED = [(family, {}) for family in NAMES if family not in MIXED_NAMES]


@pytest.mark.parametrize(("family", "changes"), [*MIXINGS, *UNMIXED])
def test_token_by_token_equals_the_parallel_form(family, changes):
    model = network(family, **changes)
    x = torch.randn(2, 50, 2, dtype=torch.float64)
    state, steps = model.initial_state(2), []
    with torch.no_grad():
        for t in range(50):
            logits, state = model.step(x[:, t], state)
            steps.append(logits)
        torch.testing.assert_close(torch.stack(steps, 1), model.forward_sequence(x))
        torch.testing.assert_close(steps[-1], model(x))
    assert state.steps == 50


EVERY_NORM = [{"norm": "none"}, {"norm": "layer"}, {"prenorm": False}]
DELAYED = [(family, {"delays": (3, 1)}) for family in MIXED_NAMES]


@pytest.mark.parametrize(("family", "changes"), [*product(NAMES, EVERY_NORM), *DELAYED])
def test_token_by_token_equals_the_parallel_form_with_every_norm_and_delay(family, changes):
    model = network(family, **changes)
    x = torch.randn(2, 30, 2, dtype=torch.float64)
    state = model.initial_state(2)
    with torch.no_grad():
        for t in range(30):
            logits, state = model.step(x[:, t], state)
        torch.testing.assert_close(logits, model(x))


@pytest.mark.parametrize("family", NAMES)
def test_the_future_changes_nothing_in_the_past(family):
    model = network(family)
    x = torch.randn(1, 80, 2, dtype=torch.float64)
    changed = x.clone()
    changed[:, 67] += 1
    with torch.no_grad():
        before, after = model.forward_sequence(x), model.forward_sequence(changed)
        torch.testing.assert_close(before[:, :67], after[:, :67])
        assert not torch.isclose(before[:, 67:], after[:, 67:]).any()
        # Native: in a block of the recurrence the future is multiplied by exact zeros.
        model.float()
        before, after = (model.forward_sequence(z.float()) for z in (x, changed))
    assert torch.equal(before[:, :67], after[:, :67])
    assert not torch.isclose(before[:, 67:], after[:, 67:]).any()


@pytest.mark.parametrize("family", NAMES)
def test_a_bidirectional_network_sees_the_future_and_refuses_to_step(family):
    model = network(family, bidirectional=True)
    x = torch.randn(1, 30, 2, dtype=torch.float64)
    changed = x.clone()
    changed[:, 20:] += 1
    with torch.no_grad():
        before, after = model.forward_sequence(x), model.forward_sequence(changed)
    assert not torch.allclose(before[:, :20], after[:, :20])
    with pytest.raises(InputError, match="expected a causal network, got a bidirectional one"):
        model.step(x[:, 0], model.initial_state(1))


WRONG_INPUTS = [
    (torch.zeros(2, 4, 3, dtype=torch.float64), None, r"\(batch, steps, 2\), none .* \(2, 4, 3\)"),
    (torch.zeros(2, 0, 2, dtype=torch.float64), None, r"shape \(batch, steps, 2\), none of them 0"),
    (torch.zeros(0, 4, 2, dtype=torch.float64), None, r"shape \(batch, steps, 2\), none of them 0"),
    (torch.zeros(2, 4, 2), None, "input: expected the parameters' float64 on cpu, got float32"),
    (torch.zeros(2, 4, 2, dtype=torch.int64), None, "expected input of float32 or .*got int64"),
    (
        torch.zeros(2, 4, 2, dtype=torch.float64),
        torch.tensor([4]),
        r"lengths: expected shape \(2,\)",
    ),
    (torch.zeros(2, 4, 2, dtype=torch.float64), torch.tensor([4, 0]), "1 to 4 steps, got 0 to 4"),
    (torch.zeros(2, 4, 2, dtype=torch.float64), torch.tensor([5, 1]), "1 to 4 steps, got 1 to 5"),
]


@pytest.mark.parametrize(("x", "lengths", "message"), WRONG_INPUTS)
def test_inputs_that_a_network_does_not_take_are_named(x, lengths, message):
    for run in (network(), network().record):
        with pytest.raises(InputError, match=message):
            run(x, lengths)


def test_tokens_that_have_no_row_are_named():
    model = network(vocabulary=7)
    for tokens, got in (([0, 7], "tokens 0 to 6, got 0 to 7"), ([-1, 0], "got -1 to 0")):
        with pytest.raises(InputError, match=got):
            model(torch.tensor([tokens]))
    with pytest.raises(InputError, match="expected tokens of int32 or int64, got float32"):
        model(torch.zeros(1, 3))


def test_a_step_takes_one_step_of_the_input():
    model = network()
    for shape in ((2,), (1, 3), (1, 4, 2)):
        with pytest.raises(InputError, match=r"expected shape \(batch, 2\), got"):
            model.step(torch.zeros(shape, dtype=torch.float64), model.initial_state(1))
    with pytest.raises(InputError, match="the parameters' float64 on cpu, got float32"):
        model.step(torch.zeros(1, 2), model.initial_state(1))


@pytest.mark.parametrize("family", NAMES)
def test_padding_is_left_out_of_the_mean(family):
    model = network(family)
    x, lengths = torch.randn(3, 40, 2, dtype=torch.float64), torch.tensor([40, 1, 23])
    with torch.no_grad():
        logits = model(x, lengths)
        for i, length in enumerate(lengths):
            torch.testing.assert_close(logits[i], model(x[i : i + 1, :length])[0])
        torch.testing.assert_close(model.record(x, lengths).logits, logits)


def test_the_sequence_readout_answers_at_every_step():
    model = network(readout="sequence", vocabulary=7)
    tokens = torch.randint(7, (2, 20))
    with torch.no_grad():
        logits = model(tokens)
        running = model.forward_sequence(tokens)
    assert logits.shape == (2, 20, 3) and model.config.readout == "every-step"
    torch.testing.assert_close(logits, running)


def test_a_pair_is_answered_from_both_means_their_product_and_difference():
    pair, single = network(readout="pair"), network()
    shared = {
        n: v for n, v in pair.state_dict().items() if not n.startswith(("compare", "decoder"))
    }
    single.load_state_dict(shared, strict=False)
    means = []
    single.decoder.register_forward_pre_hook(lambda _, given: means.append(given[0]))
    x, lengths = torch.randn(4, 20, 2, dtype=torch.float64), [20, 5, 9, 20]
    with torch.no_grad():
        for i, length in enumerate(lengths):
            single(x[i : i + 1, :length])
        first, second = torch.cat(means[0::2]), torch.cat(means[1::2])
        wide = torch.cat([first, second, first * second, first - second], 1)
        p = pair.state_dict()
        hidden = (wide @ p["compare.0.weight"].T + p["compare.0.bias"]).clamp(min=0)
        expected = hidden @ p["decoder.weight"].T + p["decoder.bias"]
        torch.testing.assert_close(pair(x, torch.tensor(lengths)), expected)


@pytest.mark.parametrize("family", NAMES)
def test_all_gradients_are_finite_and_reach_every_parameter(family):
    for dtype in (torch.float32, torch.float64):
        model = network(family, dropout=0.2).to(dtype).train()
        model(torch.randn(4, 70, 2, dtype=dtype)).square().sum().backward()
        for name, parameter in model.named_parameters():
            assert parameter.grad is not None and parameter.grad.isfinite().all(), name
            assert parameter.grad.abs().max() > 0, name


def test_a_step_in_training_mode_and_a_wrong_shape_are_refused():
    model = network()
    with pytest.raises(InputError, match=r"network input: expected shape \(batch, steps, 2\)"):
        model(torch.zeros(1, 5, 3, dtype=torch.float64))
    with pytest.raises(InputError, match="call eval"):
        model.train().step(torch.zeros(1, 2, dtype=torch.float64), model.initial_state(1))


def test_dropout_silences_whole_features_in_training_only():
    model = network(mixing="linear", dropout=0.5)
    s = torch.ones(6, 4, 9, dtype=torch.float64)
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
        ({"state": 3}, "expected a multiple of 2, got 3"),
        ({"dropout": 1.0}, "model dropout: expected less than 1, got 1.0"),
        ({"dt_min": 0.0}, "model dt_min: expected more than 0, got 0.0"),
    ],
)
def test_a_config_refuses_what_makes_no_network(changes, message):
    with pytest.raises(InputError, match=message):
        BinaryS4DConfig(**changes)


def test_importing_the_package_and_its_data_imports_no_torch():
    code = (
        "import sys, neurossm_models, neurossm_models.data as data;"
        "data.load('digits:test:4'); neurossm_models.NetworkConfig();"
        "assert 'torch' not in sys.modules; neurossm_models.S4D; assert 'torch' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})
