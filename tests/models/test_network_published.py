"""Published checkpoints: they load, and mean what they meant when they were published."""

import json
import re

import numpy as np
import pytest
import torch
from small_networks import by_hand

from neurossm_models.data import load
from neurossm_models.train import CHECKPOINTS, load_model, load_recipe, measure

BINARY = ("binary-s4d-digits", "binary-s4d-smnist", "binary-s4d-linear-smnist")


@pytest.mark.parametrize("name", BINARY)
def test_a_published_network_means_its_equations(name):
    model, recipe = load_model(name)
    steps = {"digits": 64, "mnist": 784}[recipe.data.name]
    x = np.random.default_rng(0).integers(0, 256, (2, steps, 1)) / 255
    logits, spikes = by_hand(model, x)
    with torch.no_grad():
        recording = model.double().record(torch.tensor(x))
    np.testing.assert_allclose(recording.logits.numpy(), logits[:, -1], atol=1e-6)
    for got, expected in zip(recording.spikes, spikes, strict=True):
        np.testing.assert_array_equal(got.numpy(), expected)


def test_a_published_network_measures_as_its_card_says():
    model, _ = load_model("binary-s4d-digits")
    published = json.loads((CHECKPOINTS / "binary-s4d-digits" / "test.json").read_text())
    found = measure(model, load("digits:test"))
    assert (found.count, found.correct) == (published["count"], published["correct"])
    assert found.loss == pytest.approx(published["loss"], rel=1e-3)
    assert found.spike_rates == pytest.approx(published["spike_rates"], rel=1e-3)


def test_the_logits_are_those_of_the_code_that_trained_the_checkpoint():
    # The first two test images, by the code as it was when the checkpoint was published.
    expected = [
        [9.99277, -6.26988, 2.08155, 2.26550, -1.03939,
         -4.75560, 3.26902, -5.37109, 3.90203, 0.43985],
        [-4.26534, 4.54887, -0.37636, -0.95216, -3.52329,
         -1.96741, -3.63898, -0.73706, 9.89751, -0.35885],
    ]  # fmt: skip
    model, _ = load_model("binary-s4d-digits")
    images = load("digits:test:2")
    x = torch.tensor(images.inputs) * images.scale
    for form in ("native", "fft"):
        with torch.no_grad():
            logits = model.use(ssm=form)(x)
        np.testing.assert_allclose(logits.numpy(), expected, atol=1e-4)


def test_the_commands_that_repeat_the_checkpoint_with_a_start_say_what_was_done():
    """README gives two commands; the logs and the recipe beside the weights are what was done."""
    folder = CHECKPOINTS / "spikingssm-psmnist"
    readme = (CHECKPOINTS / "README.md").read_text()
    first, second = re.findall(
        r"^neurossm train spikingssm-psmnist ((?:.*\\\n)*.*)", readme, re.MULTILINE
    )
    assert first == "--out spikingssm-psmnist-8"
    changes = re.findall(r"--set (\S+)", second)
    assert load_recipe("spikingssm-psmnist", changes) == load_recipe(folder / "recipe.toml")
    # the start: the recipe as it is. Its learning rates are those of 8 epochs of 859 steps, a tenth
    # of them warm-up to 0.01, then half a cosine, at the step before the one that is counted
    rows = [json.loads(line) for line in (folder / "start.jsonl").read_text().splitlines()]
    total = 8 * (55_000 // 64)
    warm = int(0.1 * total)
    for epoch, row in enumerate(rows, 1):
        assert row["step"] == epoch * total // 8
        part = (row["step"] - 1 - warm) / (total - warm)
        assert row["lr"] == pytest.approx(0.01 * (1 + np.cos(np.pi * part)) / 2, rel=1e-6)
    start = load_recipe("spikingssm-psmnist")
    assert (start.train.epochs, start.train.lr, start.train.warmup) == (8, 0.01, 0.1)
    assert (len(rows), start.data.valid, start.train.batch) == (8, 5000, 64)
