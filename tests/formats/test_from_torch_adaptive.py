"""An adaptive embedding and softmax in a graph: scores, and what readers make of them."""

import numpy as np
import pytest
import torch
from small_texts import CHANGES, CUTOFFS, WORDS

from neurossm.engine import run as execute
from neurossm.errors import GraphError
from neurossm.interface import Interface
from neurossm.metrics import answers
from neurossm_converters.formats.torch import from_torch
from neurossm_models import Network
from neurossm_models.train import load_recipe


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
