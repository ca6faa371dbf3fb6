"""What a network returns besides outputs: recorded activity, and states to carry on.

Shape letters: ``B`` batch, ``L`` time steps, ``H`` features (width), ``M`` complex modes a feature,
``C`` classes.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from neurossm_models.block import States
from neurossm_models.likelihoods import Likelihoods


@dataclass(frozen=True, eq=False)
class Recording:
    """What `Network.record` saw.

    Attributes
    ----------
    logits
        As of `Network.forward`.
    spikes
        One tensor (B, H, L) for each block, of 0 and 1 (of -1, 0 and 1 where they are ternary).
    rates
        Spikes per neuron and time step, for each block.
    """

    logits: Tensor | Likelihoods
    spikes: tuple[Tensor, ...]
    rates: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class State:
    """What `Network.step` carries from one time step to the next.

    Attributes
    ----------
    blocks
        The state of each block: modes, complex, (B, H, M), then what its neuron keeps, (B, H), and
        the spikes that its delays hold, (B, steps, H).
    total
        What the readout carries, shape (B, C): of a mean, the sum of the decoder's outputs so far.
    steps
        Time steps seen.
    """

    blocks: tuple[States, ...]
    total: Tensor
    steps: int
