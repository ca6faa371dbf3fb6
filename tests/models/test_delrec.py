"""LIF networks with learned delays: by hand, steps, pieces, causality, schedule, settings."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from delayed_networks import KINDS, STEPS, by_hand, network, some_input

from neurossm.errors import InputError
from neurossm_models.families.delrec import DelRecConfig
from neurossm_models.neurons import RecurrentLIF
from neurossm_models.train.recipe import load_recipe
from neurossm_models.train.trainer import RecipeTrainer


@pytest.mark.parametrize("kind", KINDS)
def test_sequences_and_steps_are_those_of_the_equations(kind):
    model = network(kind)
    x = some_input(5)
    logits, spikes = by_hand(model, x.numpy())
    with torch.no_grad():
        recorded = model.record(x)
        for found, expected in zip(recorded.spikes, spikes, strict=True):
            assert 0.02 < expected.mean() < 0.9
            np.testing.assert_array_equal(found.numpy().transpose(0, 2, 1), expected)
        np.testing.assert_allclose(model.forward_sequence(x).numpy(), logits, atol=1e-12)
        state = model.initial_state(5)
        for t, x_t in enumerate(x.unbind(1)):
            now, state = model.step(x_t, state)
            np.testing.assert_allclose(now.numpy(), logits[:, t], atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_pieces_with_carried_states_give_the_whole(kind):
    model, x = network(kind, readout="every-step"), some_input(3)
    with torch.no_grad():
        whole, states, found = model(x), None, []
        for piece in x.split([1, 9, 14], 1):
            recording, states = model.record_on(piece, states)
            found.append(recording.logits)
    torch.testing.assert_close(torch.cat(found, 1), whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_sees_the_future(kind):
    model, x = network(kind), some_input(4)
    with torch.no_grad():
        whole = model.forward_sequence(x)
        for t in (1, 11, STEPS - 1):
            changed = x.clone()
            changed[:, t:] = 1 - changed[:, t:]
            other = model.forward_sequence(changed)
            assert torch.equal(other[:, :t], whole[:, :t])
            reaches = t < STEPS - 1  # at the last step delays may keep all of it back
            assert not reaches or not torch.equal(other[:, t:], whole[:, t:])


@pytest.mark.parametrize("kind", KINDS)
def test_all_parameters_learn_while_delays_are_real_numbers(kind):
    model = network(kind).train()
    model(some_input(6)).square().sum().backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("kind", ["recurrent", "feed-forward"])
def test_weights_alone_learn_in_the_last_part_of_the_epochs(kind):
    model = network(kind, rounded=0.25, dropout=0.0, norm="none").train()
    x = some_input(6)
    for epoch, real in ((74, True), (75, False)):
        for module in model.modules():
            if hasattr(module, "at_epoch"):
                module.at_epoch(epoch, 100)
        model.zero_grad()
        y = model(x)
        y.square().sum().backward()
        delays = [p.grad for name, p in model.named_parameters() if name.endswith("delay")]
        assert len(delays) == 2 and all(grad is not None for grad in delays)
        assert all((grad.abs().max() > 0) == real for grad in delays)
        with torch.no_grad():
            assert torch.allclose(model.eval()(x), y, atol=1e-12) != real
        model.train()


def test_the_training_loop_says_which_epoch_begins(tmp_path: Path):
    changes = ["data.limit=80", "data.valid=16", "train.batch=16", "train.epochs=3",
               "model.width=4", "model.rounded=0.4", "model.recurrent_dropout=0.0"]  # fmt: skip
    recipe = load_recipe("delrec-digits", changes)
    trainer = RecipeTrainer(recipe, tmp_path)
    trainer.prepare()

    def check(epoch: int, rounds: bool) -> None:
        layers = [m for m in trainer.model.modules() if isinstance(m, RecurrentLIF)]
        assert len(layers) == 2
        for layer in layers:
            assert layer.sigma == pytest.approx(first * (last / first) ** (epoch / 3))
            assert layer.rounds == rounds

    first, last = recipe.network.recurrent_sigma, recipe.network.recurrent_sigma_end
    trainer.run(stop_after=4)
    check(0, False)
    trainer.run(stop_after=5)
    check(1, False)
    trainer = RecipeTrainer(recipe, tmp_path)  # another process goes on
    trainer.restore()
    trainer.run()
    check(2, True)


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"recurrent_longest": 64}, "recurrent_longest"), ({"recurrent": "synaptic"}, "recurrent"),
     ({"feedforward": "axonal"}, "feedforward"), ({"rounded": 1.0}, "rounded"),
     ({"feedforward_longest": 0}, "feedforward_longest"), ({"tau": 1.5}, "tau"),
     ({"recurrent_sigma_part": 0.0}, "recurrent_sigma_part")],
)  # fmt: skip
def test_a_configuration_refuses_other_settings_by_name(changes, named):
    with pytest.raises(InputError, match=named):
        DelRecConfig(**changes)


def test_a_form_that_recurrent_neurons_lack_is_refused_by_name():
    with pytest.raises(InputError, match="RecurrentLIF"):
        network().use(neuron="fft")
