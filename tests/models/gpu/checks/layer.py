"""Norm, recurrence and neuron by one kernel against their plain forms in double precision."""

import copy

import pytest
import torch
from torch import nn

from neurossm.errors import InputError
from neurossm_models import LIF, S4D
from neurossm_models.gpu.layer import Normed, run_layer
from neurossm_models.gpu.norm import measure
from neurossm_models.gpu.setting import MOST_MODES
from neurossm_models.neurons import lif_loop

pytestmark = [  # NumPy's, of infinities, and of what the interpreter does with arrays
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


class Layer(nn.Module):
    """A norm, a recurrence and neurons, each or none but the recurrence."""

    def __init__(self, features, state, norm=True, training=True, discretization="zoh", **neuron):
        super().__init__()
        self.ssm = S4D(features, state, discretization=discretization, dt_min=0.01)
        self.norm = nn.BatchNorm1d(features) if norm else None
        self.neuron = LIF(features, **{"threshold": 0.7, **neuron}) if neuron else None
        with torch.no_grad():
            for tensor in self.norm.state_dict().values() if norm else ():
                tensor.add_(0.5 * torch.rand_like(tensor) if tensor.ndim else 0)
        self.train(training)

    def by_kernel(self, x, **settings):
        norm = self.norm and Normed(measure(self.norm, x), self.norm.weight, self.norm.bias)
        neurons = self.neuron and self.neuron.for_kernels()
        log_abar, bbar = self.ssm._discretize(torch.float32)
        weight = bbar * torch.view_as_complex(self.ssm.c)
        return run_layer(x, log_abar, weight, self.ssm.d, norm=norm, neurons=neurons, **settings)

    def plainly(self, x):
        """By the convolution, PyTorch's norm and the loop over time, in the precision of x."""
        self.ssm.form = "fft"
        if self.norm is not None:
            x = self.norm(x.reshape(1, len(x), -1)).view(x.shape)
        y = self.ssm(x)
        if self.neuron is None:
            return y
        self.neuron.form = "loop"
        return self.neuron(y)


def answers(layer, run, x, weights):
    """Return outputs, gradients and buffers, by name."""
    x = x.clone().requires_grad_()
    y = run(layer, x)
    (y * weights).sum().backward()
    grads = {name: p.grad for name, p in layer.named_parameters()}
    return {"y": y.detach(), "x": x.grad, **grads, **dict(layer.named_buffers())}


def compare(layer, x, floor=0.0):
    """Compare with double precision; allow what single precision costs the plain forms, too."""
    weights = torch.randn(x.shape)
    exact = answers(copy.deepcopy(layer).double(), Layer.plainly, x.double(), weights.double())
    single = answers(copy.deepcopy(layer), Layer.plainly, x, weights)
    got = answers(layer, Layer.by_kernel, x, weights)
    if layer.neuron is not None:
        assert torch.equal(got["y"].double(), exact["y"]) and 0.05 < got["y"].mean() < 0.95
    largest = max(one.abs().max().double() for name, one in exact.items() if name != "y")
    for name, one in exact.items():
        scale = one.abs().max().clamp(min=floor * largest)
        error = (got[name] - one).abs().max()
        allowed = torch.maximum(1e-5 * scale, 2 * (single[name] - one).abs().max())
        assert error <= allowed, f"{name}: {error / scale:.1e} of the largest"


@pytest.mark.parametrize(
    ("features", "batch", "length", "state", "discretization"),
    [
        (2, 1, 1, 2, "zoh"),
        (2, 3, 33, 6, "bilinear"),
        (1, 17, 64, 32, "zoh"),
        (2, 2, 300, 4, "zoh"),  # two segments, the second of two blocks
        (1, 2, 40, 128, "zoh"),
    ],
)
def test_the_recurrence_is_the_convolution(features, batch, length, state, discretization):
    torch.manual_seed(length)
    layer = Layer(features, state, norm=False, discretization=discretization)
    compare(layer, torch.randn(features, batch, length))


@pytest.mark.parametrize("training", [True, False])
def test_the_norm_in_front_is_pytorchs(training):
    torch.manual_seed(8)
    layer = Layer(3, 4, training=training)
    layer.norm.momentum = 0.3
    compare(layer, 2 * torch.randn(3, 5, 40) + torch.tensor([3.0, -1.0, 0.0])[:, None, None])


@pytest.mark.parametrize(
    ("batch", "length", "settings"),
    [
        (3, 70, {"reset": "hard", "tau": 0.5}),
        (17, 33, {"reset": "soft", "tau": 0.6, "rho": 0.5, "kappa": 0.4}),
        (1, 290, {"reset": "hard", "tau": 0.3, "rho": 0.7, "kappa": 0.3, "surrogate": "arctan",
                  "threshold": 0.2}),
        (5, 1, {"reset": "none", "tau": 0.5, "surrogate": "fast_sigmoid"}),
    ],
)  # fmt: skip
def test_neurons_behind_are_the_loop(batch, length, settings):
    torch.manual_seed(batch + length)
    features = 1 if batch == 17 or length > 100 else 2
    compare(Layer(features, 6, **settings), torch.randn(features, batch, length))


@pytest.mark.parametrize(
    "settings",
    [{"reset": "hard", "tau": 0.9}, {"reset": "soft", "tau": 0.0, "rho": 0.9, "kappa": 0.7}],
)
def test_the_spikes_are_those_of_the_loop_on_the_kernels_own_outputs(settings):
    """Bit for bit: the neuron joins the kernel, and its operations stay what they are."""
    torch.manual_seed(9)
    layer = Layer(2, 4, **settings)
    x = 3 * torch.randn(2, 4, 65)
    with torch.no_grad():
        spikes = layer.eval().by_kernel(x)
        neuron, layer.neuron = layer.neuron, None
        y = layer.by_kernel(x) / neuron.theta[:, None, None]
        loop = lif_loop(y, neuron.tau, neuron.rho, neuron.kappa, reset=neuron.reset)
    assert torch.equal(spikes, loop) and 20 < loop.sum() < 500


def growth(layer, run):
    """Return how many bytes more a graph of 512 steps keeps than one of 256, x not counted."""
    sizes = []
    for length in (256, 512):
        x, kept = torch.randn(len(layer.norm.weight), 2, length, requires_grad=True), {}

        def count(tensor, x=x, kept=kept):
            if tensor.data_ptr() != x.data_ptr():
                storage = tensor.untyped_storage()
                kept[storage.data_ptr()] = storage.nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            run(layer, x)
        sizes.append(sum(kept.values()))
    return sizes[1] - sizes[0]


@pytest.mark.parametrize(("kappa", "words"), [(None, 2), (0.4, 3)])
def test_what_is_kept_beside_the_input(kappa, words):
    """For 256 steps N states, for 32 a word of spikes, a membrane, and a trace if there is one."""
    layer = Layer(1, 32, reset="soft", tau=0.5, rho=0.5, kappa=kappa)
    by_kernel = growth(layer, Layer.by_kernel)
    assert by_kernel == 2 * 4 * (32 + 8 * words)
    # of the recurrence alone autograd keeps the complex states of every step
    assert growth(layer, by_loops) > 2 * 256 * 16 * 8 > 100 * by_kernel


def by_loops(layer, x):
    layer.ssm.form = layer.neuron.form = "loop"
    return layer.neuron(layer.ssm(layer.norm(x.view(1, len(x), -1)).view(x.shape)))


def test_inputs_may_be_bfloat16():
    torch.manual_seed(11)
    layer = Layer(1, 4, reset="soft", tau=0.5)
    x, weights = torch.randn(1, 3, 40).bfloat16(), torch.randn(1, 3, 40).bfloat16()
    narrow = answers(copy.deepcopy(layer), Layer.by_kernel, x, weights)
    wide = answers(layer, Layer.by_kernel, x.float(), weights.float())
    assert narrow["y"].dtype == narrow["x"].dtype == torch.bfloat16
    assert torch.equal(narrow["y"].float(), wide["y"]) and wide["y"].sum() > 5
    # a result rounded to 8 bits; Triton's interpreter rounds a bit more carelessly
    torch.testing.assert_close(narrow.pop("x").float(), wide.pop("x"), rtol=2**-7, atol=1e-6)
    for name, one in narrow.items():
        assert torch.equal(one.float(), wide[name].float()), name


def test_the_same_bits_twice():
    torch.manual_seed(12)
    layer, x = Layer(1, 4, reset="hard", tau=0.5), torch.randn(1, 20, 40)
    one, two = (answers(copy.deepcopy(layer), Layer.by_kernel, x, x) for _ in range(2))
    for name in one:
        assert torch.equal(one[name], two[name]), name


def test_more_modes_than_a_program_holds_are_refused():
    x = torch.randn(1, 1, 4)
    layer = Layer(1, 2 * MOST_MODES + 2, norm=False)
    with pytest.raises(InputError, match="at most 128 states per feature, got 130; use 'fft'"):
        layer.by_kernel(x)
    layer, expected = Layer(1, 66, norm=False), "'triton:tf32x3': expected at most 64 states"
    with pytest.raises(InputError, match=f"{expected} per feature, got 66; use 'triton' or 'fft'"):
        layer.by_kernel(x, products="tf32x3")
