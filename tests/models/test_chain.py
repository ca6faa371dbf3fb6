"""Chains of native kernels, float32, against the plain path in double precision and autograd."""

import copy
import weakref

import pytest
import torch
from small_networks import NAMES, network
from torch import nn

from neurossm_models import S4D
from neurossm_models.chain import run_chain
from neurossm_models.config import SURROGATES
from neurossm_models.mixing import add_mixed
from neurossm_models.neurons import LIF
from neurossm_models.stages import Norm, Recurrence, Threshold
from neurossm_models.surrogate import Spike

TOLERANCE = 2e-4  # of the largest value: single precision, sums over thousands of values


def close(name, got, expected, tolerance=TOLERANCE):
    scale = expected.abs().max().clamp(min=1e-6)
    error = ((got.double() - expected.double()).abs().max() / scale).item()
    assert error < tolerance, f"{name}: {error:.1e} of the largest value"


def pair_of(model):
    """Return a model in single precision, native, and the same one in double, plain."""
    single = copy.deepcopy(model).float()
    return single, copy.deepcopy(single).double().use(ssm="fft", neuron="loop")


def gradients(model, x, weight):
    logits = model(x)
    (logits * weight).sum().backward()
    return logits.detach(), {name: p.grad for name, p in model.named_parameters()}


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    ("family", "length"),
    [(family, length) for family in NAMES for length in (1, 37, 67, 131)],
)
def test_the_native_path_equals_the_plain_one_in_double_precision(family, length, training):
    single, double = pair_of(network(family).train(training))
    assert all(block.native(torch.zeros(6, 1, 1)) for block in single.blocks)
    torch.manual_seed(length)
    x, weight = torch.randn(5, length, 2), torch.randn(5, 3)
    # A value within rounding of a threshold would be a spike in one and none in the other.
    with torch.no_grad():
        spikes = [copy.deepcopy(model).record(x.to(model.decoder.weight.dtype)).spikes
                  for model in (single, double)]  # fmt: skip
    for one, two in zip(*spikes, strict=True):
        assert torch.equal(one, two)
    logits, grads = gradients(single, x, weight)
    expected, expected_grads = gradients(double, x.double(), weight.double())
    close("logits", logits, expected)
    largest = max(grad.abs().max() for grad in expected_grads.values())
    for name, grad in expected_grads.items():
        # Before a batch norm some gradients are zero, and rounding is all that is left of them.
        floor = 1e-3 * largest
        error = (grads[name].double() - grad).abs().max() / grad.abs().max().clamp(min=floor)
        assert error < 1e-3, f"{name}: {error:.1e} of its largest value"
    for (name, one), two in zip(single.named_buffers(), double.buffers(), strict=True):
        close(name, one, two)


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_as_a_stage_is_pytorchs(training):
    torch.manual_seed(0)
    module = nn.BatchNorm1d(7, momentum=0.3).train(training)
    with torch.no_grad():
        for tensor in (*module.parameters(), module.running_mean):
            tensor.normal_()
        module.running_var.uniform_(0.5, 2)
    plain = copy.deepcopy(module).double()
    x = (torch.randn(7, 4, 33) + 3).requires_grad_()
    x2 = x.detach().double().requires_grad_()
    weight = torch.randn(7, 4, 33)
    stage = Norm(module, x[0].numel())
    y = run_chain(x, stage)
    stage.finish()
    expected = plain(x2.reshape(1, 7, -1)).view(x2.shape)
    (y * weight).sum().backward()
    (expected * weight).sum().backward()
    close("y", y, expected, 1e-5)
    close("x", x.grad, x2.grad, 1e-5)
    for name, parameter in plain.named_parameters():
        close(name, dict(module.named_parameters())[name].grad, parameter.grad, 1e-5)
    close("mean", module.running_mean, plain.running_mean, 1e-6)
    close("variance", module.running_var, plain.running_var, 1e-6)
    assert module.num_batches_tracked == plain.num_batches_tracked == int(training)


@pytest.mark.parametrize("length", [1, 2, 63, 64, 65, 97, 257, 784, 1031])
@pytest.mark.parametrize("discretization", ["zoh", "bilinear"])
def test_the_recurrence_as_a_stage_is_the_convolution(length, discretization):
    torch.manual_seed(1)
    ssm = S4D(3, 8, init="inv", discretization=discretization)
    plain = copy.deepcopy(ssm).double()
    u = torch.randn(3, 2, length, requires_grad=True)
    u2 = u.detach().double().requires_grad_()
    weight = torch.randn(3, 2, length)
    y, expected = run_chain(u, Recurrence(ssm.tables(length))), plain(u2)
    (y * weight).sum().backward()
    (expected * weight).sum().backward()
    close("y", y, expected)
    close("u", u.grad, u2.grad)
    for (name, one), two in zip(ssm.named_parameters(), plain.parameters(), strict=True):
        close(name, one.grad, two.grad)


@pytest.mark.parametrize("surrogate", SURROGATES)
def test_the_threshold_as_a_stage_is_the_spike(surrogate):
    torch.manual_seed(2)
    spike = Spike(4, 0.5, surrogate)
    plain = copy.deepcopy(spike).double()
    v = torch.randn(4, 3, 700)
    v[:, 0, 0] = spike.theta.detach()  # at the threshold itself there is a spike
    v2 = v.double().requires_grad_()
    v.requires_grad_()
    weight = torch.randn(4, 3, 700)
    s, expected = run_chain(v, Threshold(spike.theta, surrogate)), plain(v2)
    (s * weight).sum().backward()
    (expected * weight).sum().backward()
    assert torch.equal(s.double(), expected) and s[:, 0, 0].all()
    close("v", v.grad, v2.grad, 1e-5)
    close("theta", spike.theta.grad, plain.theta.grad, 1e-5)


@pytest.mark.parametrize("surrogate", SURROGATES)
@pytest.mark.parametrize("kappa", [None, 0.4])
@pytest.mark.parametrize("reset", ["hard", "soft", "none"])
def test_the_neuron_as_a_stage_is_the_loop(reset, kappa, surrogate):
    torch.manual_seed(3)
    neuron = LIF(5, tau=0.7, reset=reset, threshold=0.8, rho=0.6, kappa=kappa, surrogate=surrogate)
    with torch.no_grad():
        neuron.log_theta += 0.3 * torch.randn(5)
    plain = copy.deepcopy(neuron).double()
    plain.form, neuron.form = "loop", "native"
    y, weight = torch.randn(5, 3, 67), torch.randn(5, 3, 67)
    y2 = y.double().requires_grad_()
    y.requires_grad_()
    s, expected = neuron(y), plain(y2)
    (s * weight).sum().backward()
    (expected * weight).sum().backward()
    assert torch.equal(s.double(), expected) and 0.05 < s.mean() < 0.95
    # Steep at the threshold: the plain loop is as far from itself in double precision.
    tolerance = 1e-4 if surrogate == "fast_sigmoid" else 1e-5
    close("y", y.grad, y2.grad, tolerance)
    for (name, one), two in zip(neuron.named_parameters(), plain.parameters(), strict=True):
        close(name, one.grad, two.grad, tolerance)


@pytest.mark.parametrize("gated", [True, False])
def test_mixing_is_the_matrix_the_gate_and_the_dropout(gated):
    torch.manual_seed(4)
    rows = 12 if gated else 6
    r, s, keep = torch.randn(6, 5, 9), torch.randn(6, 5, 9), (torch.rand(6, 5) > 0.5) * 2.0
    given = [r, s, torch.randn(rows, 6), torch.randn(rows)]
    single = [tensor.clone().requires_grad_() for tensor in given]
    double = [tensor.double().requires_grad_() for tensor in given]
    r2, s2, matrix, bias = double
    mixed = torch.einsum("gh,hbl->gbl", matrix, s2 * keep[..., None]) + bias[:, None, None]
    added = mixed[:6] * torch.sigmoid(mixed[6:]) if gated else mixed
    out, expected = add_mixed(*single, keep), r2 + added
    weight = torch.randn(6, 5, 9)
    (out * weight).sum().backward()
    (expected * weight).sum().backward()
    close("out", out, expected, 1e-5)
    for name, one, two in zip(("r", "s", "weight", "bias"), single, double, strict=True):
        close(name, one.grad, two.grad, 1e-5)


@pytest.mark.parametrize("family", NAMES)
def test_dropout_silences_the_same_features_in_both_paths(family):
    single, double = pair_of(network(family, dropout=0.5).train())
    x, logits = torch.randn(5, 30, 2), []
    for model, given in ((single, x), (double, x.double())):
        torch.manual_seed(9)
        for module in model.modules():  # one mask for both: the generator differs by precision
            if isinstance(module, nn.Dropout1d):
                module.register_forward_hook(lambda m, i, o: i[0] * mask_like(o))
        logits.append(model(given))
    close("logits", logits[0], logits[1])


def mask_like(out):
    generator = torch.Generator().manual_seed(5)
    mask = torch.rand(*out.shape[:2], 1, generator=generator) > 0.5
    return mask.to(out.dtype) * 2


@pytest.mark.parametrize("family", NAMES)
def test_one_thread_and_two_give_the_same_bits(family):
    # More than 2^18 values, so that there are parts to spread; the last one is smaller. What is no
    # chain (encoder, readout) is PyTorch's, whose bits depend on the number of threads.
    r, results = torch.randn(5, 64, 2049), []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            results.append(values_and_gradients(family, r.clone().requires_grad_()))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    one, two = results
    assert {"r", "norm.weight", "ssm.log_dt"} <= one.keys() == two.keys()
    for name in one:
        assert torch.equal(one[name], two[name]), name


def values_and_gradients(family, r):
    """Return what the native functions of a block give for r, and all gradients."""
    block = network(family, width=5, layers=1).float().train().blocks[0]
    s = block.run_chain(r)
    out = s if family == "gsu" else block.close(r, s)[0]
    out.square().sum().backward()
    grads = {name: p.grad for name, p in block.named_parameters() if p.grad is not None}
    return {
        "s": s.detach(),
        "out": out.detach(),
        "r": r.grad,
        **grads,
        **dict(block.named_buffers()),
    }


def test_what_a_stage_keeps_of_its_output_is_freed_with_it():
    """Else each step of a network whose norm is no batch norm would leave its activations."""
    layer = S4D(4, 4)
    y = layer(torch.randn(4, 2, 40))
    assert layer.form_for(y.detach()) == "native"
    node = weakref.ref(y.grad_fn)
    del y
    assert node() is None
