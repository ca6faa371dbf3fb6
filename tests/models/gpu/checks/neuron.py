"""The neuron by kernels of Triton against the plain loop over time."""

import itertools

import pytest
import torch

from neurossm_models.gpu.neuron import Neurons, Rule, lif_triton
from neurossm_models.neurons import lif_loop

pytestmark = [  # NumPy's, of infinities, and of what the interpreter does with arrays
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def neurons_of(theta, tau, rho, kappa, reset, surrogate="triangle"):
    return Neurons(theta, tau, rho, kappa, Rule(reset, surrogate, bool((kappa != 0).any())))


def full(*values):
    return [torch.tensor([float(value)]) for value in values]


# y = [3, 1/2, 1/4, 7/8, 0], tau = 1/2; membranes before the reset, all exact in binary:
#   hard   3*  0.5   0.5   1.125* 0
#   soft   3*  1.5*  0.5   1.125* 0.0625
#   none   3*  2*    1.25* 1.5*   0.75
#   soft with trace (rho 1/2, kappa 1), membrane - trace:
#          3*  1.5-1 1-0.5 1.375-0.25* 0.1875-1.125
@pytest.mark.parametrize(
    ("reset", "rho", "kappa", "expected"),
    [
        ("hard", 0.0, 0.0, [1, 0, 0, 1, 0]),
        ("soft", 0.0, 0.0, [1, 1, 0, 1, 0]),
        ("none", 0.0, 0.0, [1, 1, 1, 1, 0]),
        ("soft", 0.5, 1.0, [1, 0, 0, 1, 0]),
    ],
)
def test_spikes_are_those_of_the_equations(reset, rho, kappa, expected):
    x = 2 * torch.tensor([[[3.0, 0.5, 0.25, 0.875, 0.0]]])
    spikes = lif_triton(x, neurons_of(*full(2, 0.5, rho, kappa), reset))
    assert spikes[0, 0].tolist() == expected


def test_at_the_threshold_it_fires():
    x = torch.tensor([[[0.5, 0.75, 1.0, 0.99999994]]])  # 0.5, 1.0*, then by reset
    for reset, last in (("hard", 0), ("soft", 0), ("none", 1)):
        spikes = lif_triton(x, neurons_of(*full(1, 0.5, 0, 0), reset))
        assert spikes[0, 0].tolist() == [0, 1, 1, last]


def hostile(features, batch, length, scale, seed):
    """Inputs of a scale, among them values at and next to the threshold, and beyond the range."""
    generator = torch.Generator(torch.get_default_device()).manual_seed(seed)
    x = scale * torch.randn(features, batch, length, generator=generator)
    for share, values in (
        (0.2, [1.0, 0.99999994, 1.0000001, -1.0, 0.0, -0.0]),
        (0.01, [3e38, -3e38, torch.inf, -torch.inf, torch.nan]),
    ):
        where = torch.rand(x.shape, generator=generator) < share
        picked = torch.randint(len(values), x.shape, generator=generator)
        x[where] = torch.tensor(values)[picked][where]
    return x


SHAPES = [(1, 1, 1), (3, 1, 32), (1, 33, 33), (1, 3, 31), (3, 2, 65)]


@pytest.mark.parametrize("reset", ["hard", "soft", "none"])
@pytest.mark.parametrize("kappa", [0.0, 0.6])
def test_the_loop_gives_the_same_bits(reset, kappa):
    spiked = 0
    for seed, (shape, scale) in enumerate(zip(SHAPES, (1e-30, 0.3, 1.0, 3.0, 1e38), strict=True)):
        x = hostile(*shape, scale, seed)
        features = shape[0]
        theta = torch.tensor([1.0, 0.7, 1.3])[:features]
        tau = torch.tensor([0.999, 0.0, 0.3])[:features]
        rho, jump = torch.tensor([0.9, 0.0, 0.5])[:features], torch.full((features,), kappa)
        spikes = lif_triton(x, neurons_of(theta, tau, rho, jump, reset))
        loop = lif_loop(x / theta[:, None, None], tau, rho, jump, reset=reset)
        assert torch.equal(spikes, loop), (shape, scale)
        spiked += int(loop.sum())
    assert spiked > 100


def gradients(run, leaves, weights):
    leaves = [leaf.clone().requires_grad_() for leaf in leaves]
    spikes = run(*leaves)
    grads = torch.autograd.grad((spikes * weights).sum(), leaves)
    return spikes.detach(), grads


def looped(reset, surrogate):
    return lambda x, theta, *rest: lif_loop(
        x / theta[:, None, None], *rest, reset=reset, surrogate=surrogate
    )


CASES = list(itertools.product(["hard", "soft", "none"], ["triangle", "arctan", "fast_sigmoid"]))
CASES += [("soft", "boxcar"), ("none", "multi_gaussian"), ("hard", "double_gaussian")]


@pytest.mark.parametrize(
    ("reset", "surrogate", "kappa", "length"),
    [(*case, (k + k // 3) % 2 * 0.4, (37, 64, 1)[k % 3 if k < 3 else 0])
     for k, case in enumerate(CASES)],
)  # fmt: skip
def test_gradients_are_those_of_autograd_through_the_loop(reset, surrogate, kappa, length):
    torch.manual_seed(4)
    x, theta = torch.randn(3, 7, length), torch.tensor([0.7, 1.0, 1.6])
    tau, rho = torch.tensor([0.0, 0.5, 0.999]), torch.tensor([0.2, 0.6, 0.8])
    leaves = [x, theta, tau, rho, kappa * torch.tensor([1.0, 0.5, 2.0])]
    weights = torch.randn(x.shape)
    rule = Rule(reset, surrogate, kappa > 0)
    kernel, got = gradients(lambda x, *p: lif_triton(x, Neurons(*p, rule)), leaves, weights)
    loop, expected = gradients(looped(reset, surrogate), leaves, weights)
    assert torch.equal(kernel, loop)
    assert 0.02 < loop.mean() < 0.8
    names = ("x", "theta", "tau", "rho", "kappa")[: 5 if kappa else 3]
    for name, one, two in zip(names, got, expected, strict=False):
        error = (one - two).abs().max()
        assert error <= 1e-5 * two.abs().max(), f"{name}: {error:.2g} of {two.abs().max():.2g}"


def test_an_infinity_in_the_last_step_stays_out_of_the_gradients():
    """Steps behind the end of a sequence run too; without a leak it goes on there as no number.

    Without a leak the slopes 1 - |x - 1| are all that is between the spikes and x.
    """
    x = torch.tensor([[[0.9, 0.4, 0.8, torch.inf]]])
    leaves, weights = [x, *full(1, 0, 0, 0)], torch.tensor([1.0, -2.0, 0.5, 3.0])
    rule = Rule("soft", "triangle", False)
    _, got = gradients(lambda x, *p: lif_triton(x, Neurons(*p, rule)), leaves, weights)
    torch.testing.assert_close(got[0], torch.tensor([[[0.9, -0.8, 0.4, 0.0]]]))


def test_inputs_may_be_bfloat16():
    torch.manual_seed(5)
    x = torch.randn(2, 3, 40).bfloat16()
    leaves = [x, *(p.repeat(2) for p in full(0.8, 0.6, 0.5, 0.3))]
    weights = torch.randn(x.shape).bfloat16()
    rule = Rule("soft", "arctan")
    spikes, got = gradients(lambda x, *p: lif_triton(x, Neurons(*p, rule)), leaves, weights)
    wide = [leaf.float() for leaf in leaves]
    loop, expected = gradients(looped("soft", "arctan"), wide, weights.float())
    assert spikes.dtype == got[0].dtype == torch.bfloat16 and torch.equal(spikes.float(), loop)
    # the result is rounded to 8 bits; Triton's interpreter does it a bit more carelessly
    close = {"rtol": 2**-7, "atol": 1e-6}
    torch.testing.assert_close(got[0].float(), expected[0], **close)
    torch.testing.assert_close(got[1], expected[1], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("kappa", "words"), [(0.0, 2), (0.4, 3)])
def test_what_is_kept_beside_the_input(kappa, words):
    """For 32 steps a word of spikes, a membrane, and a trace where there is one."""
    rows, length = 3 * 5, 70
    x = torch.randn(3, 5, length, requires_grad=True)
    rule = Rule("soft", refractory=kappa > 0)
    kept = {}

    def count(tensor):
        kept[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        lif_triton(x, Neurons(*(p.repeat(3) for p in full(1, 0.5, 0.5, kappa)), rule))
    assert kept.pop(x.data_ptr()) == rows * length * 4
    parameters = 4 * 3 * 4
    assert sum(kept.values()) == parameters + 4 * rows * words * 3  # 3 blocks: 32 + 32 + 6


def test_the_same_bits_twice():
    torch.manual_seed(6)
    leaves = [torch.randn(2, 5, 40), *(p.repeat(2) for p in full(0.8, 0.6, 0.5, 0.3))]
    weights = torch.randn(2, 5, 40)
    rule = Rule("soft", "arctan")
    one, two = (
        gradients(lambda x, *p: lif_triton(x, Neurons(*p, rule)), leaves, weights)[1]
        for _ in range(2)
    )
    assert all(map(torch.equal, one, two))
