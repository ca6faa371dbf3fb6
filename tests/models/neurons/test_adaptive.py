"""Adaptive and resonating neurons: by hand, native against loop, pieces, steps, gradients."""

import itertools
import math

import pytest
import torch

from neurossm.errors import InputError
from neurossm_models.chain import run_chain
from neurossm_models.neurons import AdaptiveLIF, AdaptiveRule, ResonateAndFire, ResonatorRule
from neurossm_models.neurons.adaptive import adaptive_loop, adaptive_stage
from neurossm_models.neurons.resonator import resonate, resonator_loop


def full(*values):
    return tuple(torch.tensor([float(value)]) for value in values)


# y = [2, 1/2, 1/2, 1, 0], gain 1, tau = rho = 1/2, a = 1/4, b = 1; all exact in binary:
#   soft, before: v 2* | .5+.5-1.5 = -.5 | -.25+.5-.625 = -.375 | -.1875+1-.21875 = .59375 | ...
#                 w 0, .25*2+1 = 1.5, .75-.125 = .625, .3125-.09375 = .21875
#   soft, after:  v 2* | .5+.5-1.25 = -.25 | -.125+.5-.5625 = -.1875 | -.09375+1-.234375 = .671875
#   hard, before: v 2* | 0+.5-1.5 = -1 | -.5+.5-.5 = -.5 | -.25+1-.125 = .625 | .3125-.21875
#   none, before: v 2* | 1+.5-1.5 = 0 | 0+.5-.75 = -.25 | -.125+1-.3125 = .5625
ADAPTING = [("soft", "before", 0.59375), ("soft", "after", 0.671875), ("hard", "before", 0.625),
            ("none", "before", 0.5625)]  # fmt: skip


@pytest.mark.parametrize(("reset", "side", "fourth"), ADAPTING)
def test_an_adaptive_neuron_spikes_as_the_equations_say(reset, side, fourth):
    rule = AdaptiveRule(reset, side)
    parameters = full(1, 0.5, 0.5, 0.25, 1)
    for more, spike in ((0.0, 0), (1 - fourth, 1)):  # at the fourth step just at the threshold
        y = torch.tensor([[[2.0, 0.5, 0.5, 1.0 + more, 0.0]]])
        for s in (run_chain(y, adaptive_stage(parameters, rule)),
                  adaptive_loop(y, parameters, rule)[0]):  # fmt: skip
            assert s[0, 0].tolist() == [1, 0, 0, spike, 0]


# pole = (1 + i) / 2, gain 1; z' of each step, with a star where it spikes:
#   none  1.5* | 1.25+.75i* | 1.25+i* | .125+1.125i | .25+.625i
#   soft  1.5*, .5 | .75+.25i | 1.25+.5i*, .25+.5i | -.125+.375i | .5+.125i
def test_a_resonator_spikes_as_the_equations_say():
    parameters, y = full(1, 0.5, 0.5), torch.tensor([[[1.5, 0.5, 1.0, 0.0, 0.75]]])
    for reset, expected in (("none", [1, 1, 1, 0, 0]), ("soft", [1, 0, 1, 0, 0])):
        rule = ResonatorRule(reset)
        for s in (resonate(y, parameters, rule), resonator_loop(y, parameters, rule)[0]):
            assert s[0, 0].tolist() == expected
    # driven by i alone: Re z' is that of the pole's imaginary part, a step later
    rule = ResonatorRule("none", "complex")
    y = torch.tensor([[[0.0, 0.0, 0.0]], [[-2.0, 0.0, 0.0]]])
    for s in (resonate(y, parameters, rule), resonator_loop(y, parameters, rule)[0]):
        assert s[0, 0].tolist() == [0, 1, 1]  # -2i | 1 - i | 1 + 0i


def drawn(features, names):
    ranges = {"gain": (0.5, 1.5), "tau": (0.3, 0.97), "rho": (0.3, 0.97), "a": (-0.2, 0.5),
              "b": (0.0, 1.0), "re": (-0.6, 0.6), "im": (-0.6, 0.6)}  # fmt: skip
    return tuple(torch.empty(features).uniform_(*ranges[name]) for name in names)


# few surrogates, as each is compiled on its own; all are tested with the kernels of `LIF`
ADAPTIVE = [
    (AdaptiveRule(reset, side, "arctan"), ("gain", "tau", "rho", "a", "b"))
    for reset, side in itertools.product(("hard", "soft", "none"), ("before", "after"))
]
RESONATING = [
    (ResonatorRule(reset, drive, surrogate), ("gain", "re", "im"))
    for (reset, drive), surrogate in zip(
        itertools.product(("soft", "none"), ("real", "complex")),
        ("boxcar", "multi_gaussian", "boxcar", "multi_gaussian"),
        strict=True,
    )
]


def native_and_loop(rule):
    if isinstance(rule, AdaptiveRule):
        return (
            lambda y, p, spikes=None: run_chain(y, adaptive_stage(p, rule, spikes)),
            lambda y, p, spikes=None: adaptive_loop(y, p, rule, spikes=spikes)[0],
        )
    return (
        lambda y, p, spikes=None: resonate(y, p, rule, spikes),
        lambda y, p, spikes=None: resonator_loop(y, p, rule, spikes=spikes)[0],
    )


def problem(rule, names, batch=7, length=150):
    torch.manual_seed(5)
    operands = getattr(rule, "operands", 1)
    y = 1.2 * torch.randn(3 * operands, batch, length)
    return y, drawn(3, names)


@pytest.mark.parametrize(("rule", "names"), ADAPTIVE + RESONATING)
@pytest.mark.parametrize(("batch", "length"), [(1, 1), (13, 64), (7, 150)])
def test_native_and_loop_give_the_same_bits(rule, names, batch, length):
    y, parameters = problem(rule, names, batch, length)
    native, loop = native_and_loop(rule)
    assert torch.equal(native(y, parameters), loop(y, parameters))


@pytest.mark.parametrize("given", [False, True])
@pytest.mark.parametrize(("rule", "names"), ADAPTIVE + RESONATING)
def test_native_gradients_are_those_of_autograd_through_the_loop_in_double(rule, names, given):
    y, parameters = problem(rule, names)
    native, loop = native_and_loop(rule)
    spikes = (torch.rand(3, *y.shape[1:]) < 0.3).float() if given else None
    weights, found = torch.randn(3, *y.shape[1:]), []
    for run, kind in ((native, torch.float32), (loop, torch.float64)):
        leaves = [x.to(kind).requires_grad_() for x in (y, *parameters)]
        known = None if spikes is None else spikes.to(kind)
        s = run(leaves[0], tuple(leaves[1:]), known)
        found.append((s.detach(), torch.autograd.grad((s * weights.to(kind)).sum(), leaves)))
    (s, got), (expected, grads) = found
    assert torch.equal(s.double(), expected) and 0.02 < expected.mean() < 0.7
    for name, one, two in zip(("y", *names), got, grads, strict=True):
        error = (one.double() - two).abs().max() / two.abs().max()
        assert error <= 1e-4, f"{name}: {error:.2g} of {two.abs().max():.2g}"


def layers():
    torch.manual_seed(1)
    yield AdaptiveLIF(5)
    yield AdaptiveLIF(5, rule=AdaptiveRule("hard", "after"))
    yield ResonateAndFire(5, threshold=0.5)
    yield ResonateAndFire(5, rule=ResonatorRule("none", "complex", "multi_gaussian"))


LAYERS = list(layers())


@pytest.mark.parametrize("neuron", LAYERS, ids=lambda n: f"{type(n).__name__} {n.rule.reset}")
def test_pieces_and_steps_are_the_sequence_and_nothing_comes_from_the_future(neuron):
    operands = getattr(neuron.rule, "operands", 1)
    y = 3 * torch.randn(5 * operands, 4, 90)
    with torch.no_grad():
        whole = neuron(y)
        assert 0.02 < whole.mean() < 0.6
        state, pieces = neuron.initial_state(4), []
        for piece in y.split((1, 40, 49), -1):
            s, state = neuron.carry(piece, state)
            pieces.append(s)
        assert torch.equal(torch.cat(pieces, -1), whole)
        after, state = state, neuron.initial_state(4)
        for t in range(90):
            s, state = neuron.step(y[..., t].T, state)
            assert torch.equal(s.T, whole[..., t])
        assert all(map(torch.equal, state, after))
        changed = torch.cat([y[..., :50], torch.randn_like(y[..., 50:])], -1)
        assert torch.equal(neuron(changed)[..., :50], whole[..., :50])
    assert neuron.form_for(y) == "native"


def test_the_parameters_are_those_of_the_papers():
    torch.manual_seed(2)
    silif = AdaptiveLIF(400)
    gain, tau, rho, a, b = silif.dynamics()
    assert math.exp(-1) - 1e-6 <= tau.min() < 0.38 and 0.95 < tau.max() <= math.exp(-0.04) + 1e-6
    assert math.exp(-0.04) - 1e-6 <= rho.min() and rho.max() <= math.exp(-0.01) + 1e-6
    assert torch.allclose(gain, 1 - tau)
    assert (a / gain).min() >= 0 and 0.9 < (a / gain).max() <= 1.0001
    assert (b / gain).min() >= 0 and 1.8 < (b / gain).max() <= 2.0001
    with torch.no_grad():
        silif.a += 2
        silif.b -= 3
    _, tau, _, a, b = silif.dynamics()
    assert torch.equal(a, 1 - tau) and not b.any()
    resonator = ResonateAndFire(3, dt_min=0.25, dt_max=0.25, threshold=0.5)
    gain, re, im = resonator.dynamics()
    pole = torch.tensor(0.25 * complex(-0.5, math.pi)).exp()
    assert torch.allclose(torch.complex(re, im), pole.expand(3))
    assert torch.equal(gain, resonator.b * 2)
    own = ResonateAndFire(2, decay=[0.5, 1.0], frequency=[1.0, -2.0], dt_min=0.1, dt_max=0.1,
                          train_gain=False)  # fmt: skip
    gain, re, im = own.dynamics()
    expected = [math.e ** (0.1 * complex(-0.5, 1)), math.e ** (0.1 * complex(-1, -2))]
    assert torch.allclose(torch.complex(re, im), torch.tensor(expected))
    assert torch.allclose(gain, torch.tensor([0.1, 0.1]))


@pytest.mark.parametrize("drive", ["real", "complex"])
def test_without_a_reset_the_state_is_a_convolution(drive):
    torch.manual_seed(3)
    rule = ResonatorRule("none", drive, "multi_gaussian")
    neuron = ResonateAndFire(4, rule=rule).double()
    assert neuron.form_for(torch.zeros(4, 1, 1).double()) == "fft"  # what native does not take
    y = 2 * torch.randn(4 * rule.operands, 3, 77).double()
    weights, found = torch.randn(4, 3, 77).double(), []
    for form in ("fft", "loop"):
        neuron.form = form
        y.requires_grad_()
        s = neuron(y)
        leaves = [y, *neuron.parameters()]
        found.append((s.detach(), torch.autograd.grad((s * weights).sum(), leaves)))
    (s, got), (expected, grads) = found
    assert torch.equal(s, expected) and 0.02 < s.mean() < 0.6
    for one, two in zip(got, grads, strict=True):
        assert torch.allclose(one, two, rtol=1e-8, atol=1e-10)


def test_forms_and_arguments_that_there_are_not():
    with pytest.raises(InputError, match="form of the neurons: expected one of auto, native, loop"):
        AdaptiveLIF(2).form = "boundary"
    with pytest.raises(InputError, match="neurons without a reset, got a soft reset"):
        ResonateAndFire(2).form = "fft"
    neuron = ResonateAndFire(2)
    neuron.form = "native"
    with pytest.raises(InputError, match="float32 on cpu"):
        neuron.double()(torch.zeros(2, 1, 3).double())
    with pytest.raises(InputError, match=r"ResonateAndFire decay: expected numbers above 0"):
        ResonateAndFire(2, decay=[0.5, 0.0])
    with pytest.raises(InputError, match=r"ResonateAndFire frequency: .*or 2 of them"):
        ResonateAndFire(2, frequency=[1.0, 2.0, 3.0])
    with pytest.raises(InputError, match="AdaptiveLIF reset"):
        AdaptiveRule("softly")
    with pytest.raises(InputError, match="ResonateAndFire drive"):
        ResonatorRule("soft", "imaginary")
    with pytest.raises(InputError, match="AdaptiveLIF dt"):
        AdaptiveLIF(2, dt=0)
