"""The surrogate dynamic network: causal, folded exactly, in agreement with the neuron."""

import json

import pytest
import torch

from neurossm.errors import FormatError, InputError
from neurossm_cli import main
from neurossm_models import LIF, Network, SpikingSSMConfig
from neurossm_models.neurons import lif_loop
from neurossm_models.neurons.sdn import SDN, find_sdn, load_sdn, sdn_spikes, windows_of
from neurossm_models.neurons.sdn_checks import at_work, check_run, just_under
from neurossm_models.neurons.sdn_training import (
    SDNTraining,
    agreement,
    exact_membranes,
    start_from_neuron,
    train_sdn,
)
from neurossm_models.surrogate import triangle
from neurossm_models.train import load_model

TAU = 0.125


def test_the_package_has_weights_of_the_published_agreement():
    """At least 99.97% of spikes, over two million steps that no training has seen."""
    network = find_sdn(TAU)
    reached = agreement(network, steps=2**21, seed=20)
    assert reached.steps == 2**21
    assert 0.14 < reached.rate < 0.16
    assert reached.spikes >= 0.9997
    # what ignoring the membrane reaches: the network must do far better
    y = torch.randn(64, 1024, generator=torch.Generator().manual_seed(3))
    m, spikes = exact_membranes(y, TAU)
    memoryless = ((y >= 1) == (spikes > 0)).float().mean()
    assert memoryless < 0.99
    assert (network(y) - m).abs().mean() < 0.02 * m.abs().mean()


def test_labels_are_the_leaked_membrane_after_the_reset():
    # v = 0.5, 0.0625 + 1 *, 0.75, 0.09375 + 0.90625 * (at the threshold), -2; m = v_{t-1} / 8 or 0
    y = torch.tensor([[0.5, 1.0, 0.75, 0.90625, -2.0, 0.0]])
    m, spikes = exact_membranes(y, TAU)
    assert spikes.tolist() == [[0, 1, 0, 1, 0, 0]]
    assert m.tolist() == [[0, 0.0625, 0, 0.09375, 0, -0.25]]


def test_it_sees_the_eight_inputs_before_and_nothing_else():
    torch.manual_seed(0)
    network = SDN().eval().folded(TAU)
    y = torch.randn(1, 30)
    before = network(y)
    for t in range(12, 20):
        changed = y.clone()
        changed[0, t] += 3
        differs = (network(changed) != before)[0].nonzero().ravel()
        assert differs.min() > t and differs.max() <= t + 8
    assert windows_of(torch.arange(1.0, 11)[None])[:, 9].tolist() == list(range(2, 10))


def test_folding_changes_nothing():
    torch.manual_seed(0)
    network = SDN()
    with torch.no_grad():
        for norm in (network.norm1, network.norm2):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)
            norm.weight.normal_()
            norm.bias.normal_()
    y = torch.randn(3, 2, 50)
    network.eval()
    expected = network(windows_of(y.view(6, 50))).view_as(y)
    folded = network.folded(TAU)
    torch.testing.assert_close(folded(y), expected.detach())
    assert folded(y.double()).dtype == torch.float64
    assert sum(p.numel() for p in network.parameters()) == 193
    assert sum(w.numel() for w in folded.weights.values()) == 153


def test_long_rows_and_many_rows_are_cut_without_a_seam():
    torch.manual_seed(0)
    network = find_sdn(TAU)
    y = torch.randn(5, 20_000)
    whole = network(y)
    torch.testing.assert_close(torch.cat([network(row[None]) for row in y]), whole)
    assert network(y[:, :1]).shape == (5, 1)


def test_the_gradient_of_a_spike_reaches_its_own_step_alone():
    network = find_sdn(TAU)
    y = torch.randn(2, 40, generator=torch.Generator().manual_seed(1)).requires_grad_()
    spikes = sdn_spikes(y, network)
    excess = (network(y) + y - 1).detach()
    assert torch.equal(spikes, (excess >= 0).float())
    weights = torch.arange(80.0).view(2, 40)
    (grad,) = torch.autograd.grad((spikes * weights).sum(), y)
    torch.testing.assert_close(grad, weights * triangle(excess))


def test_the_start_is_the_neuron_already():
    """Without training: its norms set, the network misses only resets three steps back or more."""
    y = torch.randn(256, 256, generator=torch.Generator().manual_seed(7))
    m, _ = exact_membranes(y, TAU)
    network = SDN()
    start_from_neuron(network, TAU, windows_of(y))
    predicted = network(windows_of(y)).view_as(y).detach()
    assert (predicted - m).abs().mean() < 0.001


def test_training_is_repeatable_and_improves_the_membrane():
    settings = SDNTraining(tau=0.3, steps=60, batch=4, length=256, lr=1e-4, seed=5)
    torch.manual_seed(1)
    one = train_sdn(settings)
    torch.manual_seed(2)
    state = torch.get_rng_state()
    two = train_sdn(settings)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(one.weights[name], two.weights[name]) for name in one.weights)
    reached = agreement(one, steps=2**20)
    assert reached.spikes > 0.995


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tau": 1.0}, "sdn tau: expected less than 1, got 1.0"),
        ({"steps": 0}, "sdn steps: expected at least 1, got 0"),
        ({"seed": -1}, "sdn seed: expected at least 0, got -1"),
    ],
)
def test_settings_that_train_nothing_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        SDNTraining(**changes)


def test_the_layer_trains_with_the_network_and_is_evaluated_exactly():
    torch.manual_seed(0)
    neuron = LIF(4, tau=TAU, reset="hard")
    with torch.no_grad():
        neuron.log_theta.normal_(0, 0.3)
    neuron.form = "sdn"
    y = torch.randn(4, 64, 512)
    scaled = y / neuron.theta[:, None, None]
    exact = lif_loop(scaled, neuron.tau, neuron.rho, neuron.kappa, reset="hard")
    trained = neuron(y)
    assert torch.equal(trained, sdn_spikes(scaled, find_sdn(TAU)))
    assert 0 < (trained != exact).float().mean() < 0.002
    assert torch.equal(neuron.eval()(y), exact)


def test_a_network_learns_through_it():
    torch.manual_seed(0)
    config = SpikingSSMConfig(width=6, state=4, layers=2, threshold=0.5)
    network = Network(config).use(ssm="fft", neuron="sdn")
    x = torch.randn(4, 50, 1)
    network(x).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, name
    assert not any("sdn" in name for name in network.state_dict())
    with torch.no_grad():
        evaluated = network.eval()(x)
        torch.testing.assert_close(evaluated, network.use(ssm="fft", neuron="loop")(x))


def test_another_leak_or_neuron_is_refused_with_the_command_that_helps():
    with pytest.raises(InputError, match=r"got tau 0.2; train one with 'neurossm sdn --tau 0.2"):
        LIF(2, tau=0.2, reset="hard").form = "sdn"
    with pytest.raises(InputError, match="got hard reset and a trace"):
        LIF(2, tau=TAU, reset="hard", rho=0.5, kappa=0.5).form = "sdn"


def test_the_command_trains_weights_that_a_recipe_can_name(tmp_path, capsys):
    file = tmp_path / "sdn.safetensors"
    with pytest.raises(SystemExit) as ended:
        main(["sdn", "--out", str(file), "--tau", "0.2", "--steps", "4", "--seed", "3", "--json"])
    assert ended.value.code == 0
    document = json.loads(capsys.readouterr().out)
    network, meta = load_sdn(file)
    assert meta["made_with"] == "neurossm sdn --tau 0.2 --steps 4 --seed 3"
    assert meta["agreement"] == document["spikes"]
    assert meta["agreement_just_under"] == document["just_under"]["spikes"] < 1
    assert document["own_inputs"] is None
    assert meta["settings"] == document["settings"] and network.tau == 0.2
    neuron = LIF(2, tau=0.2, reset="hard")
    neuron.form = f"sdn:{file}"
    assert neuron.form == "sdn"
    with pytest.raises(InputError, match=r"a network for tau 0.3, got one for tau 0.2"):
        LIF(2, tau=0.3, reset="hard").form = f"sdn:{file}"


class Offset:
    """A stand-in for the network: the exact leaked membrane, and as much more as it is told."""

    tau = 0.5

    def __init__(self, more):
        self.more = more

    def __call__(self, y):
        return exact_membranes(y.reshape(-1, y.shape[-1]), self.tau)[0].view_as(y) + self.more


def test_just_under_the_threshold_too_much_by_half_the_distance_is_right_half_the_time():
    """d is uniform in (0, 1/4]: a membrane predicted 1/8 too high fires for d <= 1/8, wrongly."""
    share = just_under(Offset(0.125), below=0.25, steps=2**20)
    assert share.steps == 2**20 and share.spikes == pytest.approx(0.5, abs=0.003)
    assert just_under(Offset(-1e-3), below=0.25, steps=1).spikes == 1
    assert just_under(Offset(0.26), below=0.25, steps=1).spikes == 0


def test_the_weights_of_the_package_are_four_times_in_five_right_just_under_the_threshold():
    share = just_under(find_sdn(TAU), steps=2**19, seed=4)
    assert share.spikes == pytest.approx(0.811, abs=0.003)


def test_at_work_the_inputs_of_a_trained_network_are_those_of_its_neurons():
    torch.manual_seed(0)
    model = Network(SpikingSSMConfig(width=6, state=4, layers=2, tau=0.5, threshold=0.5)).eval()
    x = torch.randn(4, 50, 1)
    y = model.blocks[0].ssm(model.blocks[0].norm(model._encoded(x)[None].flatten(2)).view(6, 4, 50))
    scaled = y / model.blocks[0].neuron.theta[:, None, None]
    m, spikes = (r.view_as(y) for r in exact_membranes(scaled.detach().reshape(24, 50), 0.5))
    shift = 0.2
    expected = ((m + shift + scaled >= 1) == (spikes > 0)).double().mean().item()
    first, second = at_work(Offset(shift), model, x)
    assert first.steps == 4 * 50 * 6 and first.spikes == pytest.approx(expected, abs=1e-9)
    assert 0.5 < expected < 0.99 and second.spikes < 1
    assert not any(m._forward_hooks for m in model.modules())
    exact = at_work(Offset(0.0), model, x)
    assert all(share.spikes > 0.999 for share in exact)


def test_a_run_of_other_neurons_is_refused_before_the_training():
    for name, message in (
        ("spike-ssm-smnist", "sdn run: expected hard reset without trace, got soft reset and a"),
        ("gsu-smnist", "sdn run: expected a network whose neurons have a membrane"),
    ):
        with pytest.raises(InputError, match=message):
            check_run(load_model(name)[0], TAU)
    with pytest.raises(InputError, match=r"sdn run: expected neurons of tau 0.2, got tau 0.125"):
        check_run(load_model("spikingssm-smnist")[0], 0.2)


@pytest.mark.parametrize("content", [None, b"", b"not safetensors at all"])
def test_files_of_another_kind_are_refused(tmp_path, content):
    file = tmp_path / "other"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(FormatError, match="expected the weights of a surrogate dynamic network"):
        LIF(2, tau=TAU, reset="hard").form = f"sdn:{file}"


def test_a_checkpoint_of_another_network_is_refused(tmp_path):
    from neurossm_models.train.checkpoint import save_tensors

    file = tmp_path / "weights.safetensors"
    save_tensors(file, {"kernel": torch.zeros(8, 8)}, {"step": 1})
    with pytest.raises(FormatError, match=r"KeyError: 'sdn'.*make one with 'neurossm sdn"):
        load_sdn(file)
