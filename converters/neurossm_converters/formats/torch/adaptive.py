"""An adaptive embedding and softmax in a graph: a whole table, and the scores without a softmax.

Both are linear maps in two parts, a table and a projection, which become one: a row of the width
for each token. What reads the output takes the softmax of each group (`Interface.cutoffs`), as it
takes that of other scores.
"""

from __future__ import annotations

from copy import deepcopy
from typing import TypeVar

from neurossm.nodes import Affine, Embedding
from neurossm_converters.formats.torch.builder import Builder, array, require_type
from neurossm_models.adaptive import AdaptiveEmbedding, AdaptiveSoftmax
from neurossm_models.network import Network

M = TypeVar("M", AdaptiveEmbedding, AdaptiveSoftmax)


def add_table(builder: Builder, path: str, module: AdaptiveEmbedding, source: str) -> str:
    """Add the embedding as its whole table, (V, H)."""
    return builder.add(path, Embedding(table=array(_in_double(module).whole())), source)


def add_scores(builder: Builder, model: Network, source: str) -> str:
    """Add the scores that log-likelihoods are made of; return the name of their node.

    Raises
    ------
    GraphError
        If one of the two modules was replaced.
    """
    words, softmax = model.encoder, model.decoder
    require_type("encoder", words, AdaptiveEmbedding)
    require_type("decoder", softmax, AdaptiveSoftmax)
    assert isinstance(words, AdaptiveEmbedding)
    assert isinstance(softmax, AdaptiveSoftmax)
    weight, bias = _in_double(softmax).whole(_in_double(words))
    return builder.add("decoder", Affine(weight=array(weight), bias=array(bias)), source)


def _in_double(module: M) -> M:
    return deepcopy(module).cpu().double()
