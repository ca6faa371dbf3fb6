"""Data as the commands run it: padding does not count, data of another kind is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from family_networks import SCALE, STEPS, network

from neurossm.cli.console import Console
from neurossm.cli.executing import check_task, execute
from neurossm.errors import InputError
from neurossm_converters.from_torch import from_torch
from neurossm_models.data import Dataset

TOKENS, SAMPLES = 5, 40


def texts() -> Dataset:
    """Return sequences of tokens of unlike lengths, padded by the token 0."""
    rng = np.random.default_rng(2)
    lengths = rng.integers(1, STEPS + 1, SAMPLES)
    inputs = rng.integers(0, TOKENS, (SAMPLES, STEPS, 1)).astype(np.uint8)
    inputs[np.arange(STEPS) >= lengths[:, None]] = 0
    labels = np.zeros(SAMPLES, np.int64)
    return Dataset("imdb", "test", inputs, 1.0, labels, "random", TOKENS, lengths)


def test_the_answer_to_a_padded_sequence_is_that_at_its_end():
    model = network("spikingssm", vocabulary=TOKENS, mixing="linear", layers=1)
    graph, data = from_torch(model, steps=STEPS, scale=1), texts()
    tokens = torch.tensor(data.inputs[:, :, 0], dtype=torch.int64)
    with torch.no_grad():
        answers = model(tokens, torch.tensor(data.lengths)).argmax(1).numpy()
        to_padding = model(tokens).argmax(1).numpy()
    assert np.any(answers != to_padding), "the padding changes nothing here"
    told = replace(data, labels=answers)
    assert execute(graph, told, "float", "outputs", Console(as_json=True)).accuracy == 1.0


@pytest.mark.parametrize("change", [{"vocabulary": 0}, {"labels": np.zeros((SAMPLES, STEPS), int)}])
def test_data_of_another_kind_are_refused(change):
    graph = from_torch(network("spikingssm", vocabulary=TOKENS), steps=STEPS, scale=1)
    check_task(graph, texts())
    with pytest.raises(InputError, match="expected inputs of its kind and one label a sequence"):
        check_task(graph, replace(texts(), **change))
    with pytest.raises(InputError, match=r"in units of 0\.00392157, got 1"):
        check_task(from_torch(network("gsu"), steps=STEPS, scale=SCALE), texts())
