"""A language model with an adaptive softmax, from training to integers: one perplexity."""

import numpy as np
import pytest
import small_texts
import torch
from small_texts import CHANGES, CUTOFFS, WORDS

import neurossm
from neurossm.engine import run as execute
from neurossm.errors import GraphError
from neurossm.interface import Interface
from neurossm.metrics import answers
from neurossm_converters.formats.torch import from_torch
from neurossm_models import Network
from neurossm_models.data import load
from neurossm_models.data.streams import joined
from neurossm_models.train import evaluate, load_model, load_recipe, train


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


@torch.no_grad()
def test_answers_of_a_graph_are_the_log_likelihoods_of_the_network():
    torch.manual_seed(0)
    config = load_recipe("spikingssm-wikitext103-small", [*CHANGES, "model.mixing=linear"]).model
    model = Network(config).use(ssm="fft", neuron="loop").double().eval()
    torch.nn.init.normal_(model.decoder.projection)
    torch.nn.init.normal_(model.decoder.groups)
    floating = from_torch(model, steps=20, scale=1.0)
    tokens = np.random.default_rng(0).integers(0, WORDS + 1, (3, 20, 1))
    about = Interface("next-step", "every-step", cutoffs=CUTOFFS)
    found = answers(about.applied(floating), execute(floating, tokens, "float"))
    np.testing.assert_allclose(found, model(torch.tensor(tokens[..., 0])).numpy(), atol=1e-9)


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


def test_the_published_recipes_export_with_a_batch_norm_only():
    sizes = [*CHANGES[:5], "model.layers=1", "model.embedding_dropout=0"]
    for name in ("spikingssm-wikitext103", "spike-ssm-wikitext103"):
        published = Network(load_recipe(name, sizes).model).eval()
        with pytest.raises(GraphError, match=r'LayerNorm.*model\.norm = "batch"'):
            from_torch(published, steps=4, scale=1.0)
        folding = Network(load_recipe(name, [*sizes, "model.norm=batch"]).model).eval()
        assert from_torch(folding, steps=4, scale=1.0).meta["cutoffs"] == "[8, 20]"


def test_a_replaced_half_of_the_pair_is_refused():
    model = Network(load_recipe("spikingssm-wikitext103-small", CHANGES).model).eval()
    model.encoder = torch.nn.Embedding(WORDS + 1, 32)
    with pytest.raises(GraphError, match="'encoder': expected AdaptiveEmbedding, got Embedding"):
        from_torch(model, steps=4, scale=1.0)
