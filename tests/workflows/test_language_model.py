"""A language model with an adaptive softmax, from training to integers: one perplexity."""

import numpy as np
import pytest
import small_texts
from small_texts import CHANGES, CUTOFFS, WORDS

import neurossm
from neurossm.engine import run as execute
from neurossm.interface import Interface
from neurossm.metrics import answers
from neurossm_converters.formats.torch import from_torch
from neurossm_models.data import load
from neurossm_models.data.streams import joined
from neurossm_models.train import evaluate, load_model, train


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    yield from small_texts.in_place(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def run(corpus, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "small"
    train("spikingssm-wikitext103-small", [*CHANGES, "train.epochs=2", "train.batch=2"], folder)
    return folder


@pytest.fixture(scope="module")
def graphs(run):
    floating = neurossm.export(run)
    return floating, neurossm.quantize(floating, "wikitext103:train:16").graph


def test_a_graph_sends_scores_and_says_of_which_groups(graphs):
    about = Interface.of(graphs[0])
    assert (about.task, about.readout, about.cutoffs) == ("next-step", "every-step", CUTOFFS)
    assert graphs[0].nodes["output"].out_channels == WORDS + 1 + 2
    assert graphs[0].nodes["encoder"].table.shape == (WORDS + 1, 32)


def test_integers_have_the_perplexity_of_floats(run, graphs):
    _, integer = graphs
    alone = evaluate(run, "test", carry=False)
    by_engine = [neurossm.evaluate(graph, "wikitext103:test").scores for graph in graphs]
    for scores in by_engine:
        assert scores.main == "perplexity" and scores.count == alone.count
        assert scores.value == pytest.approx(alone.value, rel=0.01)
    assert neurossm.evaluate(integer, "wikitext103:test", "reference").scores.value == (
        by_engine[1].value
    )


def test_integers_on_the_whole_stream_have_that_of_carried_states(run):
    model, stream = load_model(run)[0], joined(load("wikitext103:test"))
    steps = stream.shape[1]
    about = Interface("next-step", "every-step", cutoffs=CUTOFFS)
    floating = about.applied(from_torch(model, steps=steps, scale=1.0))
    integer = neurossm.quantize(floating, "wikitext103:train:16").graph
    scores = neurossm.evaluate(integer, stream).scores
    assert scores.value == pytest.approx(evaluate(run, "test", carry=True).value, rel=0.01)


def test_a_step_at_a_time_sends_the_same_scores(graphs):
    data, (_, integer) = load("wikitext103:test"), graphs
    sent = execute(integer, data.inputs[:1], "fast").values["output"][0]
    stream = neurossm.Stepper(integer)
    for token, expected in zip(data.inputs[0, :20, 0], sent, strict=False):
        assert stream.step([token]).tolist() == [expected.tolist()]
    reals = neurossm.Stepper(integer, numbers="reals")
    found = answers(integer, execute(integer, data.inputs[:1], "fast"))[0]
    for token, expected in zip(data.inputs[0, :20, 0], found, strict=False):
        np.testing.assert_allclose(reals.step([float(token)])[0], expected)
        np.testing.assert_allclose(np.exp(reals.answer()).sum(), 1)
