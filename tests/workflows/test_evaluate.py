"""Data as the commands run it: padding does not count, data of another kind is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from family_networks import FEATURES, SCALE, STEPS, network

from neurossm.energy import estimate
from neurossm.errors import InputError
from neurossm.hardware import load_hardware
from neurossm.metrics import measure
from neurossm.placement import place
from neurossm.quantization import Quantize
from neurossm.report import Accuracy
from neurossm.store import graph_digest
from neurossm_converters.formats.torch import from_torch
from neurossm_models.data import Dataset
from neurossm_workflows.baselines import baseline_accuracies
from neurossm_workflows.costs import core_work
from neurossm_workflows.diff import difference
from neurossm_workflows.evaluate import evaluate
from neurossm_workflows.golden import golden_vectors
from neurossm_workflows.made_for import check_task
from neurossm_workflows.quantize import calibrate, checked_on, quantized
from neurossm_workflows.report import first_sample
from neurossm_workflows.verdict import check_document

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
    assert evaluate(graph, told, "float").accuracy == 1.0


def test_commands_see_no_padding():
    """Calibration, golden vectors, check, percentiles, accuracy, counts, cores, energy, forms."""
    model = network("spikingssm", vocabulary=TOKENS, mixing="linear", layers=1)
    graph, short = from_torch(model, steps=STEPS, scale=1), texts()
    more = np.full((SAMPLES, 3 * STEPS, 1), 3, np.uint8)  # busy, if it were run
    padded = replace(short, rows=np.concatenate([short.inputs, more], axis=1))
    chip, found = load_hardware("loihi2"), []
    for data in (short, padded):
        ranges = calibrate(graph, data, Quantize(range_rule="percentile"), percentile=99.9)
        integer = quantized(graph, data)
        done = evaluate(integer, data)
        checked, metrics = checked_on(graph, integer, data), measure(integer, done.trace)
        cores = core_work(integer, data, chip, place(integer, chip)).as_json()
        baselines = baseline_accuracies(
            integer,
            data,
            20,
            Accuracy(data="imdb", samples=SAMPLES, integer=done.accuracy),
        )
        found.append((
            ranges.percentiles, {n: a.tolist() for n, a in ranges.state_percentiles.items()},
            graph_digest(integer), golden_vectors(integer, data), done.accuracy,
            metrics.as_json(), estimate(metrics, integer, chip).as_json(), cores, baselines,
            check_document(checked), first_sample(integer, data).counts,
            difference(graph, integer, data).compared.rows,
        ))  # fmt: skip
    for one, other in zip(*found, strict=True):
        assert one == other
    assert metrics.steps == short.lengths.mean() < STEPS


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"vocabulary": 0}, "expected tokens, got values"),
        (
            {"labels": np.zeros((SAMPLES, STEPS), int), "kind": ""},
            "expected those of a classification, the task of this graph, got those of a step-class",
        ),
    ],
)
def test_data_of_another_kind_are_refused(change, said):
    graph = from_torch(network("spikingssm", vocabulary=TOKENS), steps=STEPS, scale=1)
    check_task(graph, texts())
    with pytest.raises(InputError, match=said):
        check_task(graph, replace(texts(), **change))
    with pytest.raises(InputError, match=r"in units of 0\.00392157, got 1"):
        pixels = Dataset(
            "mine", "test", np.zeros((2, 8, FEATURES), int), 1.0, np.zeros(2, int), "none"
        )
        check_task(from_torch(network("gsu"), steps=STEPS, scale=SCALE), pixels)
