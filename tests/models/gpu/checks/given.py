"""The neuron at given spikes, and what fine-tuning on the integers does with it, by kernels."""

import copy

import family_networks
import numpy as np
import pytest
import torch
from family_networks import PIXELS, SCALE, STEPS
from torch.nn.functional import cross_entropy

from neurossm.quantization import Quantize
from neurossm_converters.qat import QATModel
from neurossm_models.gpu.given import given_triton
from neurossm_models.gpu.neuron import Rule
from neurossm_models.gpu.setting import interpreted
from neurossm_models.ste import check_forms, ste_outputs
from neurossm_models.surrogate import heaviside
from neurossm_workflows.quantize import calibrate as ranges_on_data

pytestmark = [  # what the interpreter does with arrays
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]


def looped(x, spikes, tau, rho, kappa, reset, surrogate):
    """Return the given spikes as autograd sees them through a plain loop."""
    u = r = torch.zeros_like(x[..., 0])
    tau, rho, kappa = (p[:, None] for p in (tau, rho, kappa))
    fired = []
    for y, given in zip(x.unbind(-1), spikes.unbind(-1), strict=True):
        v = tau * u + y
        own = heaviside(v - r - 1, surrogate)
        s = own + (given - own).detach()
        u = {"hard": v * (1 - s), "soft": v - s, "none": v}[reset]
        r = rho * r + kappa * s
        fired.append(s)
    return torch.stack(fired, -1)


@pytest.mark.parametrize(
    ("reset", "surrogate", "kappa", "length"),
    [
        ("hard", "triangle", 0.0, 37),
        ("soft", "arctan", 0.5, 64),
        ("none", "fast_sigmoid", 0.5, 33),
        ("hard", "arctan", 0.5, 1),
    ],
)
def test_gradients_are_those_of_autograd_through_the_loop(reset, surrogate, kappa, length):
    torch.manual_seed(7)
    x, spikes = 1.2 * torch.randn(3, 5, length), (torch.rand(3, 5, length) < 0.3).float()
    tau, rho = torch.tensor([0.0, 0.5, 0.9]), torch.tensor([0.2, 0.6, 0.8])
    leaves, weights = [x, tau, rho, kappa * torch.tensor([1.0, 0.5, 2.0])], torch.randn(x.shape)
    rule, found = Rule(reset, surrogate, kappa > 0), []
    for wide in (False, True):
        own = [leaf.double() if wide else leaf.clone() for leaf in leaves]
        y, *parameters = [leaf.requires_grad_() for leaf in own]
        if wide:
            s = looped(y, spikes.double(), *parameters, reset, surrogate)
        else:
            s = given_triton(y, spikes, *parameters, rule)
            assert torch.equal(s, spikes)
        found.append(torch.autograd.grad((s * weights).sum(), own, allow_unused=True))
    for one, two in list(zip(*found, strict=True))[: 4 if kappa else 2]:
        if two is None:  # of a single step no leak decides anything
            assert not one.any()
        else:
            assert (one - two).abs().max() <= 1e-5 * two.abs().max()


def tuned(model, place, forms):
    """Return the logits of a batch of unlike lengths, and the gradients of their loss."""
    lengths = torch.tensor([STEPS, 3, 11, 1, 7, STEPS])
    pixels = PIXELS * (np.arange(STEPS) < lengths.numpy()[:, None])[:, :, None]
    model = copy.deepcopy(model).to(place).use(ssm=forms[0], neuron=forms[1])
    check_forms(model)
    qat_model = QATModel(Quantize(), lambda graph: ranges_on_data(graph, pixels), steps=STEPS,
                       scale=SCALE, bits=8)  # fmt: skip
    qat_model.calibrate(model)
    run = qat_model.run(model, pixels, lengths.numpy(), record=True)
    x, labels = torch.tensor(pixels * SCALE).float().to(place), torch.tensor([0, 1, 2, 2, 1, 0])
    logits = ste_outputs(model, x, run, lengths.to(place))
    cross_entropy(logits, labels.to(place)).backward()
    grads = {name: p.grad.cpu() for name, p in model.named_parameters() if p.grad is not None}
    return logits.detach().cpu(), grads


def test_fine_tuning_has_the_logits_and_the_gradients_of_the_cpu():
    cpu = torch.device("cpu")
    own = cpu if interpreted() else torch.device("cuda")
    with cpu:  # but for what is moved
        model = family_networks.network("spike-ssm", delays=(1, 3)).float()
        expected, theirs = tuned(model, cpu, ("fft", "loop"))
        logits, ours = tuned(model, own, ("triton", "triton"))
    assert torch.equal(logits, expected) and len(expected.unique()) > 6
    assert ours.keys() == theirs.keys()
    for name, grad in theirs.items():
        assert (ours[name] - grad).abs().max() <= 1e-5 * grad.abs().max(), name
