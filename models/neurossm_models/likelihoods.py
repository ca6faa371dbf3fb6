"""Log-likelihoods of labels under an adaptive softmax, without all V scores per step.

Shape letters: ``B`` batch, ``L`` time steps, ``H`` features, ``V`` tokens.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from neurossm.errors import InputError
from neurossm_models.adaptive import AdaptiveEmbedding, AdaptiveSoftmax

AT_ONCE = 2**26  # logits that are held at once where no gradient is taken


@dataclass(frozen=True, eq=False)
class Likelihoods:
    """What is kept of the answers to tokens that are asked for: V numbers each would be too many.

    Attributes
    ----------
    of_labels
        Log-likelihood of each label, in nats, (B, L); 0 where none is asked for.
    right
        Whether it is the likeliest token, bool, (B, L); None where nobody looked.
    """

    of_labels: Tensor
    right: Tensor | None = None

    @property
    def dtype(self) -> torch.dtype:
        """Type of the numbers."""
        return self.of_labels.dtype

    def float(self) -> Likelihoods:
        """Return them as float32."""
        return replace(self, of_labels=self.of_labels.float())

    def sum(self) -> Tensor:
        """Return the sum of the log-likelihoods."""
        return self.of_labels.sum()


def likelihoods(
    softmax: AdaptiveSoftmax,
    words: AdaptiveEmbedding,
    r: Tensor,
    labels: Tensor,
    lengths: Tensor | None = None,
) -> Likelihoods:
    """Return what is answered to labels.

    Parameters
    ----------
    softmax, words
        Of a network.
    r
        What goes into the softmax, (B, L, H).
    labels
        Tokens (B, L); below 0: none is asked for.
    lengths
        Steps of each sequence that count, (B,); None: all. Behind them nothing is asked for.

    Returns
    -------
    Likelihoods
        `right` only where no gradient is taken.

    Raises
    ------
    InputError
        For labels of another shape, or beyond the tokens.
    """
    if labels.shape != r.shape[:2] or (labels.numel() and int(labels.max()) >= len(softmax.bias)):
        expected = f"shape {tuple(r.shape[:2])}, tokens 0 to {len(softmax.bias) - 1} (-1: none)"
        got = f"shape {tuple(labels.shape)}"
        got += f", up to {int(labels.max())}" if labels.numel() else ""
        raise InputError("labels", expected=expected, got=got)
    if lengths is not None:
        inside = torch.arange(r.shape[1], device=r.device) < lengths[:, None]
        labels = labels.where(inside, -1)
    flat = labels.reshape(-1)
    asked = (flat >= 0).nonzero()[:, 0]
    rows, wanted = r.reshape(-1, r.shape[-1])[asked], flat[asked]
    if torch.is_grad_enabled():
        kept = softmax.kept(r, words)
        own = None if kept is None else [part.reshape(len(flat), -1)[asked] for part in kept]
        found = softmax.of_labels(rows, wanted, words, own)
        return Likelihoods(found.new_zeros(len(flat)).index_copy(0, asked, found).view_as(labels))
    size = max(1, AT_ONCE // max(len(table) for table in words.tables))
    parts = list(zip(torch.split(rows, size), torch.split(wanted, size), strict=True))
    nats, hits = [], []
    for x, w in parts:
        head = softmax.head(x, words)  # once for both
        nats.append(softmax.of_labels(x, w, words, head=head))
        hits.append(softmax.likeliest(x, words, head) == w)
    found, right = torch.cat(nats), torch.cat(hits)
    return Likelihoods(
        found.new_zeros(len(flat)).index_copy(0, asked, found).view_as(labels),
        torch.zeros_like(flat, dtype=torch.bool).index_copy(0, asked, right).view_as(labels),
    )
