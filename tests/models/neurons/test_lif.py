"""The exact neuron: by hand, native against loop, step against sequence, gradients."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neurossm.errors import InputError
from neurossm_models import LIF, Network, SPikESSMConfig, SpikingSSMConfig
from neurossm_models.chain import run_chain
from neurossm_models.config import SURROGATES
from neurossm_models.families.gsu import TernaryThreshold
from neurossm_models.neurons import lif_loop, lif_native
from neurossm_models.stages import Neuron
from neurossm_models.surrogate import Spike

# y = [3, 1/2, 1/4, 7/8, 0], tau = 1/2; membranes before the reset, all exact in binary:
#   hard   3*  0.5   0.5   1.125* 0
#   soft   3*  1.5*  0.5   1.125* 0.0625
#   none   3*  2*    1.25* 1.5*   0.75
#   soft with trace (rho 1/2, kappa 1), membrane - trace:
#          3*  1.5-1 1-0.5 1.375-0.25* 0.1875-1.125
BY_HAND = [
    ("hard", 0.0, 0.0, [1, 0, 0, 1, 0]),
    ("soft", 0.0, 0.0, [1, 1, 0, 1, 0]),
    ("none", 0.0, 0.0, [1, 1, 1, 1, 0]),
    ("soft", 0.5, 1.0, [1, 0, 0, 1, 0]),
]


def full(*values):
    return tuple(torch.tensor([value]) for value in values)


@pytest.mark.parametrize(("reset", "rho", "kappa", "expected"), BY_HAND)
def test_spikes_are_those_of_the_equations(reset, rho, kappa, expected):
    y = torch.tensor([[[3.0, 0.5, 0.25, 0.875, 0.0]]])
    for run in (lif_native, lif_loop):
        assert run(y, *full(0.5, rho, kappa), reset=reset)[0, 0].tolist() == expected


@pytest.mark.parametrize("reset", ["hard", "soft", "none"])
def test_at_the_threshold_it_fires(reset):
    y = torch.tensor([[[0.5, 0.75, 1.0, 0.99999994]]])  # 0.5, 1.0*, then by reset
    for run in (lif_native, lif_loop):
        spikes = run(y, *full(0.5, 0.0, 0.0), reset=reset)[0, 0].tolist()
        assert spikes[:3] == [0, 1, 1]
        assert spikes[3] == (1 if reset == "none" else 0)


def moderate(width):
    return st.lists(st.floats(0, 0.99), min_size=width, max_size=width)


@st.composite
def problems(draw):
    """Rows that are no multiple of the kernel's lanes, lengths that are none of its blocks."""
    features, batch = draw(st.integers(1, 3)), draw(st.sampled_from([1, 2, 7, 16, 19]))
    length = draw(st.sampled_from([1, 2, 63, 64, 65, 150]))
    scale = draw(st.sampled_from([1e-30, 0.3, 1.0, 3.0, 1e4, 1e30, 1e38]))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    y = scale * torch.randn(features, batch, length, generator=generator)
    # values at and next to the threshold
    near = torch.tensor([1.0, 0.99999994, 1.0000001, -1.0, 0.0, -0.0])
    where = torch.rand(y.shape, generator=generator) < 0.2
    y[where] = near[torch.randint(6, y.shape, generator=generator)][where]
    if draw(st.booleans()):  # a few values at the end of the range, or beyond
        ends = torch.tensor([3e38, -3e38, torch.inf, -torch.inf, torch.nan])
        where = torch.rand(y.shape, generator=generator) < 0.02
        y[where] = ends[torch.randint(5, y.shape, generator=generator)][where]
    tau, rho = (torch.tensor(draw(moderate(features))) for _ in range(2))
    kappa = torch.zeros(features)
    if draw(st.booleans()):
        kappa = torch.tensor(draw(st.lists(st.floats(0, 4), min_size=features, max_size=features)))
    return y, tau, rho, kappa, draw(st.sampled_from(["hard", "soft", "none"]))


@settings(max_examples=60, deadline=None)
@given(problems())
def test_native_and_loop_give_the_same_bits(problem):
    y, tau, rho, kappa, reset = problem
    native, loop = (run(y, tau, rho, kappa, reset=reset) for run in (lif_native, lif_loop))
    assert torch.equal(native, loop)


@pytest.mark.parametrize("kappa", [0.0, 0.4])
@pytest.mark.parametrize("reset", ["hard", "soft", "none"])
@pytest.mark.parametrize("surrogate", SURROGATES)
def test_native_gradients_are_those_of_autograd_through_the_loop(reset, surrogate, kappa):
    torch.manual_seed(4)
    y = torch.randn(3, 7, 70)
    theta, tau = torch.tensor([0.7, 1.0, 1.6]), torch.tensor([0.125, 0.5, 0.9])
    rho, kappas = torch.tensor([0.2, 0.6, 0.8]), kappa * torch.tensor([1.0, 0.5, 2.0])
    weights = torch.randn(y.shape)
    leaves = [x.clone().requires_grad_() for x in (y, theta, tau, rho, kappas)]
    plain = [x.clone().requires_grad_() for x in (y, theta, tau, rho, kappas)]
    native = run_chain(leaves[0], Neuron(*leaves[1:], reset, surrogate))
    scaled = plain[0] / plain[1][:, None, None]
    loop = lif_loop(scaled, *plain[2:], reset=reset, surrogate=surrogate)
    assert torch.equal(native, loop)
    assert 0.05 < loop.detach().mean() < 0.6
    got = torch.autograd.grad((native * weights).sum(), leaves)
    expected = torch.autograd.grad((loop * weights).sum(), plain)
    for name, one, two in zip(("y", "theta", "tau", "rho", "kappa"), got, expected, strict=True):
        error = (one - two).abs().max()
        assert error <= 1e-5 * two.abs().max(), f"{name}: {error:.2g} of {two.abs().max():.2g}"


def make(reset="soft", kappa=None, **changes):
    torch.manual_seed(0)
    settings = {"tau": 0.6, "rho": 0.5, "reset": reset, "kappa": kappa, **changes}
    neuron = LIF(5, **settings)
    with torch.no_grad():
        neuron.log_theta.normal_(0, 0.4)
    return neuron


@pytest.mark.parametrize("reset", ["hard", "soft", "none"])
@pytest.mark.parametrize("kappa", [None, 0.7])
def test_step_by_step_gives_the_spikes_of_the_sequence(reset, kappa):
    neuron = make(reset, kappa)
    y = torch.randn(5, 3, 40)
    state, steps = neuron.initial_state(3), []
    with torch.no_grad():
        for t in range(40):
            spikes, state = neuron.step(y[:, :, t].T, state)
            steps.append(spikes.T)
        for form in ("native", "loop"):
            neuron.form = form
            assert torch.equal(torch.stack(steps, -1), neuron(y))


def test_only_the_ratio_of_input_to_threshold_matters():
    """Equation 12 of SpikingSSMs; exact to the bit for factors that are powers of two."""
    neuron = make(train_threshold=False)
    y = torch.randn(5, 3, 60)
    before = neuron(y)
    theta = neuron.theta
    parameters = torch.full((5,), 0.6), torch.zeros(5), torch.zeros(5)
    assert torch.equal(before, lif_native(y / theta[:, None, None], *parameters, reset="soft"))
    stage = Neuron(4 * theta, neuron.tau, neuron.rho, neuron.kappa, "soft", "triangle")
    assert torch.equal(run_chain(4 * y, stage), before)
    assert not torch.equal(neuron(2 * y), before)


@pytest.mark.parametrize(
    ("reset", "form", "message"),
    [
        ("soft", "natve", "did you mean 'native'"),
        ("soft", "auto:x", "one of auto, native, triton, loop, fft, boundary, sdn"),
        ("hard", "sdn:", "'sdn:FILE'"),
        ("hard", "boundary", "form 'boundary': expected a soft reset.*got hard reset"),
        ("soft", "sdn", "form 'sdn': expected hard reset.*got soft reset"),
        ("none", "sdn", "form 'sdn': expected hard reset.*got none reset"),
    ],
)
def test_forms_that_do_not_apply_are_refused_by_name(reset, form, message):
    neuron = make(reset)
    with pytest.raises(InputError, match=message):
        neuron.form = form
    assert neuron.form == "auto"


def test_the_native_form_refuses_what_its_kernel_does_not_take():
    neuron = make().double()
    y = torch.randn(5, 2, 9, dtype=torch.float64)
    expected = neuron(y)  # auto: the loop
    neuron.form = "native"
    with pytest.raises(InputError, match="expected float32 on cpu, got float64 on cpu"):
        neuron(y)
    neuron.form = "loop"
    assert torch.equal(neuron(y), expected)


def test_a_neuron_of_another_precision_than_its_input_is_not_run_by_the_native_kernel():
    y = torch.randn(5, 2, 9)
    neuron = make().double()
    assert neuron.form_for(y) == "loop" and neuron(y).dtype == torch.float64
    neuron.form = "native"
    with pytest.raises(InputError, match="expected float32 on cpu, got float64 on cpu"):
        neuron(y)
    values = [torch.full((5,), 0.5, dtype=torch.float64) for _ in range(3)]
    with pytest.raises(InputError, match="expected float32 on cpu, got float64 on cpu; use the"):
        lif_native(y.double(), *values, reset="soft")
    assert lif_loop(y.double(), *values, reset="soft").dtype == torch.float64


@pytest.mark.parametrize(
    "layer",
    [make(), Spike(5), TernaryThreshold(5, 0.5), TernaryThreshold(5, 0.5, 0.1)],
    ids=["LIF", "Spike", "TernaryThreshold", "maximum"],
)
def test_layers_take_features_first_and_no_other_shape(layer):
    assert layer(torch.zeros(5, 1, 10)).shape == (5, 1, 10)
    for shape in ((1, 10, 5), (1, 5, 10), (5, 10)):
        with pytest.raises(InputError, match=r"input: expected shape \(5, batch, steps\)"):
            layer(torch.zeros(shape))


def test_a_step_takes_the_features_last_and_no_other_shape():
    for layer, more in ((make(), make().initial_state(2)), (Spike(5), None)):
        arguments = () if more is None else (more,)
        for shape in ((5, 2), (2, 1, 5), (5,)):
            with pytest.raises(InputError, match=r"expected shape \(batch, 5\), one time step"):
                layer.step(torch.zeros(shape), *arguments)


def test_a_network_refuses_forms_of_neurons_that_it_does_not_have():
    hard = Network(SpikingSSMConfig(width=4, state=4))
    soft = Network(SPikESSMConfig(width=4, state=4))
    with pytest.raises(InputError, match=r"form 'boundary'.*got hard reset"):
        hard.use(neuron="boundary")
    with pytest.raises(InputError, match=r"form 'sdn'.*got soft reset"):
        soft.use(neuron="sdn")
    with pytest.raises(InputError, match="did you mean 'boundary'"):
        soft.use(neuron="boundry")
    soft.use(ssm="fft", neuron="boundary")
    x = torch.randn(2, 30, 1)
    with torch.no_grad():
        torch.testing.assert_close(soft.eval()(x), soft.use(ssm="fft", neuron="loop")(x))
