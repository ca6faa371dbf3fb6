"""Adaptive embedding and softmax for large vocabularies: fewer parameters for rare words, tied.

Tokens are numbered by falling frequency and cut into groups: the first c_1, those up to c_2, and so
on. Group i has ``d_i = max(1, H // divisor**i)`` numbers a token, and a projection between them and
the H features. The softmax is one over the first group and one place for each other group, and one
inside of each of these::

    x_t = sqrt(H) P_i e_w                                          w in group i
    log p(w) = head_w                                              w in the first group
               head_{group i} + log softmax(E_i Q_i^T r + b_i)_w   w in group i >= 1
    head = log softmax([E_0; G] Q_0^T r + [b_0; g])

E, the tables, are those of the embedding; so are the projections, ``Q_i = P_i``, except for Q_0.

Shape letters: ``B`` batch, ``L`` time steps, ``H`` features, ``V`` tokens, ``G`` groups behind the
first, ``m`` answers.

Sources: Grave et al., "Efficient softmax approximation for GPUs", 2017 (arXiv 1609.04309); Baevski
and Auli, "Adaptive Input Representations for Neural Language Modeling", 2019 (arXiv 1809.10853).
Scales, initial values, and what is tied are those of state-spaces/s4 (e757cef,
src/models/nn/adaptive_softmax.py, configs/pipeline/wt103.yaml), which the released configuration of
SpikingSSM uses. Its groups stand in the opposite order in the head, which says the same.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, embedding, linear, log_softmax

from neurossm_models.config import NetworkConfig, group_sizes

INIT_SCALE = 0.5  # of the standard deviation 1/sqrt(d) of tables and projections


class AdaptiveEmbedding(nn.Module):
    """Tokens to features, with fewer numbers for rarer ones.

    Parameters
    ----------
    config
        With cut-offs.

    Attributes
    ----------
    tables
        Of each group, (V_i, d_i).
    projections
        Of each group, (H, d_i).
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.num_embeddings, self.width = config.vocabulary, config.width
        sizes = group_sizes(config)
        self.tables = nn.ParameterList(_normal(size, d, d) for size, d in sizes)
        self.projections = nn.ParameterList(
            _normal(config.width, d, config.width) for _, d in sizes
        )
        self.dropout = nn.Dropout1d(config.embedding_dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the features of tokens, (B,) or (B, L) to (..., H)."""
        flat, found, places = tokens.reshape(-1), [], []
        kept = _kept(self.dropout, tokens, self.tables)
        for number, (low, high) in enumerate(self.spans()):
            # groups without a token take part too, so that each parameter has a gradient
            here = _inside(flat, low, high)
            rows = embedding(flat[here] - low, self.tables[number])
            if kept is not None:
                rows = rows * kept[number].reshape(-1, rows.shape[-1])[here]
            found.append(linear(rows, self.projections[number]))
            places.append(here)
        order = torch.cat(places).argsort()
        features = torch.cat(found)[order].to(self.tables[0].dtype)
        return math.sqrt(self.width) * features.view(*tokens.shape, self.width)

    def spans(self) -> Iterator[tuple[int, int]]:
        """Yield the first token of each group, and the one behind its last."""
        low = 0
        for table in self.tables:
            yield low, low + len(table)
            low += len(table)

    def whole(self) -> Tensor:
        """Return the table that this amounts to, (V, H)."""
        rows = [e @ p.T for e, p in zip(self.tables, self.projections, strict=True)]
        return math.sqrt(self.width) * torch.cat(rows)


class AdaptiveSoftmax(nn.Module):
    """Features to log-likelihoods of tokens, by the tables of an `AdaptiveEmbedding`.

    The embedding is an argument of all that it computes, so that it stands once among the
    parameters.

    Parameters
    ----------
    config
        With cut-offs.

    Attributes
    ----------
    projection
        Of the first group, (H, H); it begins with zeros.
    groups
        Rows of the head for the other groups, (G, H); zeros.
    group_bias, bias
        Of these, (G,), zeros; of the tokens, (V,), uniform within 1/sqrt(H).
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        width, more = config.width, len(config.cutoffs)
        self.projection = nn.Parameter(torch.zeros(width, width))
        self.groups = nn.Parameter(torch.zeros(more, width))
        self.group_bias = nn.Parameter(torch.zeros(more))
        bound = 1 / math.sqrt(width)
        self.bias = nn.Parameter(torch.empty(config.vocabulary).uniform_(-bound, bound))
        self.dropout = nn.Dropout1d(config.softmax_dropout)

    def forward(self, r: Tensor, words: AdaptiveEmbedding) -> Tensor:
        """Return the log-likelihood of every token, (B, H) or (B, L, H) to (..., V)."""
        kept = self.kept(r, words)
        head = log_softmax(self._scores(0, r, words, kept), -1)
        first = len(words.tables[0])
        parts = [head[..., :first]]
        for number in range(1, len(words.tables)):
            inside = log_softmax(self._scores(number, r, words, kept), -1)
            parts.append(head[..., first + number - 1, None] + inside)
        return torch.cat(parts, -1)

    def kept(self, r: Tensor, words: AdaptiveEmbedding) -> list[Tensor] | None:
        """Return what dropout multiplies numbers of each group with, (..., d_i); None: nothing."""
        return _kept(self.dropout, r[..., 0], words.tables)

    def of_labels(
        self,
        r: Tensor,
        labels: Tensor,
        words: AdaptiveEmbedding,
        kept: list[Tensor] | None = None,
        head: Tensor | None = None,
    ) -> Tensor:
        """Return the log-likelihood of one token each, (m, H) and (m,) to (m,).

        Of a group that is not the first, scores are computed where one of its tokens is asked for.
        `kept` is that of these rows, (m, d_i); `head` as of `head`, computed if None.
        """
        spans, place = list(words.spans()), labels
        for number, (low, _) in enumerate(spans[1:]):
            place = torch.where(labels >= low, spans[0][1] + number, place)
            # a later group overwrites an earlier one: its first token is higher
        head = self._scores(0, r, words, kept) if head is None else head
        found = -cross_entropy(head, place, reduction="none")
        for number, (low, high) in enumerate(spans[1:], 1):
            here = _inside(labels, low, high)
            own = None if kept is None else [part[here] for part in kept]
            scores = self._scores(number, r[here], words, own)
            nats = cross_entropy(scores, labels[here] - low, reduction="none")
            found = found.index_add(0, here, -nats.to(found.dtype))
        return found

    def head(self, r: Tensor, words: AdaptiveEmbedding) -> Tensor:
        """Return scores of the first group's tokens and of the other groups, without dropout."""
        return self._scores(0, r, words)

    @torch.no_grad()
    def likeliest(self, r: Tensor, words: AdaptiveEmbedding, head: Tensor | None = None) -> Tensor:
        """Return the likeliest token, of equal ones the first; (m, H) to (m,).

        A token of a group is at most as likely as the group: most groups need no look.
        """
        first = len(words.tables[0])
        head = log_softmax(self._scores(0, r, words) if head is None else head, -1)
        best, token = head[:, :first].max(-1)
        for number, (low, _) in enumerate(words.spans()):
            if not number:
                continue
            group = head[:, first + number - 1]
            here = (group > best).nonzero()[:, 0]
            inside, place = log_softmax(self._scores(number, r[here], words), -1).max(-1)
            likelier = inside + group[here]
            wins = likelier > best[here]
            best = best.index_copy(0, here, torch.where(wins, likelier, best[here]))
            token = token.index_copy(0, here, torch.where(wins, place + low, token[here]))
        return token

    def _scores(
        self, number: int, r: Tensor, words: AdaptiveEmbedding, kept: list[Tensor] | None = None
    ) -> Tensor:
        """Return scores inside of a group, (..., V_i); of the first with the other groups'."""
        low, high = list(words.spans())[number]
        rows, bias = words.tables[number], self.bias[low:high]
        if not number:
            rows, bias = torch.cat([rows, self.groups]), torch.cat([bias, self.group_bias])
        held = r @ (words.projections[number] if number else self.projection)
        return linear(held if kept is None else held * kept[number], rows, bias)

    def whole(self, words: AdaptiveEmbedding) -> tuple[Tensor, Tensor]:
        """Return the one linear map that scores come of: weight (V + G, H) and bias (V + G,).

        In its rows the first group, the places of the other groups, then these one by one.
        """
        first = len(words.tables[0])
        rows = [words.tables[0] @ self.projection.T, self.groups @ self.projection.T]
        rows += [e @ p.T for e, p in list(zip(words.tables, words.projections, strict=True))[1:]]
        bias = torch.cat([self.bias[:first], self.group_bias, self.bias[first:]])
        return torch.cat(rows), bias


def _kept(dropout: nn.Dropout1d, places: Tensor, tables: nn.ParameterList) -> list[Tensor] | None:
    """Return what numbers of each group are multiplied with, one each, (B, ..., d_i).

    They are drawn for all places, whichever tokens stand there, a sequence being what `Dropout1d`
    silences: so processes that share a batch draw what one process draws.
    """
    if not dropout.training or not dropout.p:
        return None
    sizes, batch = [table.shape[1] for table in tables], len(places)
    steps = places.numel() // batch
    drawn: Tensor = dropout(tables[0].new_ones(steps * sum(sizes), batch, 1))
    by_place = drawn.view(steps, sum(sizes), batch).permute(2, 0, 1)
    return [part.reshape(*places.shape, -1) for part in torch.split(by_place, sizes, -1)]


def _normal(rows: int, columns: int, scale: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(rows, columns) * (INIT_SCALE / math.sqrt(scale)))


def _inside(tokens: Tensor, low: int, high: int) -> Tensor:
    return ((tokens >= low) & (tokens < high)).nonzero()[:, 0]
