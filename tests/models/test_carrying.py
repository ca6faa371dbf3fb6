"""Sequences in pieces with carried states: as one long sequence."""

import numpy as np
import pytest
import torch
from small_networks import NAMES, S4D_NAMES

from neurossm.errors import InputError
from neurossm_models import S4D, Network
from neurossm_models.delay import Delay
from neurossm_models.families import FAMILIES
from neurossm_models.neurons import LIF

PIECES = ((0, 1), (1, 8), (8, 39), (39, 64))


@torch.no_grad()
def test_spikes_that_wait_arrive_in_the_next_piece():
    delay = Delay(5, (1, 4, 63))
    s, state, parts = (
        (torch.rand(5, 2, 64) < 0.5).float(),
        delay.initial_state(2, torch.zeros(1)),
        [],
    )
    stepped = state
    for start, stop in PIECES:
        arriving, state = delay.carry(s[..., start:stop], state)
        parts.append(arriving)
        for t in range(start, stop):
            _, stepped = delay.step(s[..., t].T, stepped)
        assert torch.equal(state[0], stepped[0])
    whole = torch.cat(parts, -1)
    for feature, n in enumerate((1, 4, 63, 1, 4)):
        assert not whole[feature, :, :n].any()
        assert torch.equal(whole[feature, :, n:], s[feature, :, :-n])


def network(family, **changes):
    torch.manual_seed(0)
    settings = {"vocabulary": 9, "classes": 9, "width": 8, "layers": 2, "readout": "every-step"}
    settings |= {"state": 8} if family in S4D_NAMES else {"dt_min": 0.1, "threshold": 0.1}
    return Network(FAMILIES[family].config(**{**settings, **changes})).eval()


@torch.no_grad()
@pytest.mark.parametrize("form", ["fft", "loop"])
@pytest.mark.parametrize("discretization", ["zoh", "bilinear"])
def test_a_state_space_layer_goes_on_by_its_recurrence(form, discretization):
    torch.manual_seed(2)
    layer = S4D(3, 8, discretization=discretization).double()
    layer.form = form
    generator = np.random.default_rng(0)
    u = generator.normal(size=(3, 2, 50))
    x = generator.normal(size=(2, 3, 4)) + 1j * generator.normal(size=(2, 3, 4))
    abar, bbar, c, d = layer.discretized()
    state, expected = x, np.empty_like(u)
    for t in range(50):
        state = abar * state + bbar * u[..., t].T[..., None]
        expected[..., t] = (2 * (c * state).real.sum(-1) + d * u[..., t].T).T
    y, after = layer.carry(torch.tensor(u), torch.tensor(x))
    np.testing.assert_allclose(y.numpy(), expected, atol=1e-10)
    np.testing.assert_allclose(after.numpy(), state, atol=1e-10)


@torch.no_grad()
@pytest.mark.parametrize("reset", ["hard", "soft", "none"])
def test_a_neuron_goes_on_bit_for_bit(reset):
    torch.manual_seed(1)
    neuron = LIF(4, tau=0.7, reset=reset, rho=0.5, kappa=0.3)
    neuron.form = "loop"
    y = torch.randn(4, 3, 64)
    whole, state, parts = neuron(y), neuron.initial_state(3), []
    for start, stop in PIECES:
        spikes, state = neuron.carry(y[..., start:stop], state)
        parts.append(spikes)
    assert torch.equal(torch.cat(parts, -1), whole) and 0.05 < whole.mean() < 0.6
    stepped = neuron.initial_state(3)
    for t in range(64):
        _, stepped = neuron.step(y[..., t].T, stepped)
    for one, other in zip(state, stepped, strict=True):
        assert torch.equal(one, other)


@torch.no_grad()
@pytest.mark.parametrize(
    ("family", "changes"),
    [*((name, {}) for name in NAMES), ("spikingssm", {"norm": "layer", "prenorm": False}),
     ("spike-ssm", {"norm": "layer", "cutoffs": (3, 6), "width": 16}),
     ("spikingssm", {"delays": (1, 9, 40)}), ("binary-s4d", {"delays": (3,)})],
)  # fmt: skip
def test_pieces_of_a_stream_are_one_long_sequence(family, changes):
    model = network(family, **changes).use(ssm="fft", neuron="loop").double()
    x = torch.randint(0, 9, (2, 64), generator=torch.Generator().manual_seed(3))
    whole, states, parts = model.record(x), None, []
    for start, stop in PIECES:
        part, states = model.record_on(x[:, start:stop], states)
        parts.append(part)
    torch.testing.assert_close(torch.cat([part.logits for part in parts], 1), whole.logits)
    for block, spikes in enumerate(whole.spikes):
        assert torch.equal(torch.cat([part.spikes[block] for part in parts], -1), spikes)
        assert spikes.any()
    fresh = torch.cat([model.record(x[:, a:b]).logits for a, b in PIECES], 1)
    assert (fresh - whole.logits).abs().max() > 1e-3  # without states it is something else


@torch.no_grad()
def test_the_native_kernels_go_on_within_rounding():
    model = network("spikingssm")
    x = torch.randint(0, 9, (1, 64), generator=torch.Generator().manual_seed(4))
    whole, states, parts = model.record(x), None, []
    for start, stop in PIECES:
        part, states = model.record_on(x[:, start:stop], states)
        parts.append(part.logits)
    torch.testing.assert_close(torch.cat(parts, 1), whole.logits, atol=1e-4, rtol=1e-4)


def test_what_cannot_go_on_is_refused():
    x = torch.zeros(1, 4, dtype=torch.int64)
    for model, message in (
        (network("spikingssm").train(), "training mode"),
        (network("spikingssm", bidirectional=True), "expected a causal network"),
        (network("spikingssm", readout="mean"), "expected the readout 'every-step', got 'mean'"),
    ):
        with pytest.raises(InputError, match=message):
            model.record_on(x, None)
    layer = S4D(2, 4, bidirectional=True)
    with pytest.raises(InputError, match="expected a causal layer"):
        layer.carry(torch.zeros(2, 1, 3), layer.initial_state(1))
