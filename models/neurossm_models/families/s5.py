"""S5 with ReLU activations whose zeros are not sent, to be pruned.

Shape letters: ``B`` batch, ``L`` time steps, ``H`` features, ``P`` complex states. Signals: ``r``
residual stream, ``u`` its normalized form, ``x`` complex states.

Source: Pierro, Abreu, Timcheck, Stratmann, Wild, Shrestha, "Accelerating Linear Recurrent Neural
Networks for the Edge with Unstructured Sparsity", 2025 (arXiv 2502.01330), and its code
(github.com/IntelLabs/SparseRNNs @b623aea); S5: Smith, Warrington, Linderman, 2023 (arXiv
2208.04933).

Deviations: of the factor of the zero-order hold only the magnitude stands in front of B, so that
what is pruned from B is 0 when discretized; its phase is left to the trained B. B and C are drawn
directly, without the matrix of eigenvectors (unitary). Pruning acts on B, C, the gate, the encoder
and the decoder, not on D. One residual stream of the width of the layers, whose decoder is linear;
the released network is one for audio denoising, whose input and output are spectra.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from neurossm.validation import Count, Positive
from neurossm_models.block import Block, States
from neurossm_models.complex_states import ComplexStates
from neurossm_models.config import MOST_STATES, NetworkConfig, check_steps
from neurossm_models.families.family import Family
from neurossm_models.layers import make_norm, mix, normalize


@dataclass(frozen=True)
class S5Config(NetworkConfig):
    """An S5 network with ReLU activations.

    Parameters
    ----------
    state
        Real states N of a layer; ``P = N // 2`` complex ones are kept. Even.
    blocks
        Into so many groups the states are divided at first; each has the poles of HiPPO-LegS.
    dt_min, dt_max
        Range of the initial time steps, log-uniform, where one input step lasts 1.
    """

    state: Annotated[int, Field(ge=2, le=MOST_STATES, multiple_of=2)] = 32
    blocks: Count = 1
    dt_min: Positive = 1e-3
    dt_max: Positive = 1e-1

    NAME: ClassVar[str] = "s5"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_steps(self.dt_min, self.dt_max)

    @property
    def states(self) -> int:
        """Real states of a layer."""
        return self.state

    @property
    def inside(self) -> tuple[int, ...]:
        """Complex states of a layer, and their parts."""
        return self.state // 2, self.state

    def with_modes(self, modes: int) -> Self:
        """Return a configuration with so many complex states in a layer."""
        return replace(self, state=2 * modes, blocks=1)

    @property
    def shape(self) -> str:
        """Layers and their sizes, in words for a model card."""
        return f"{super().shape}, {self.state} real states a layer, in {self.blocks} blocks"

    def _least_inside(self) -> int:
        """Return the numbers that the layers have at least: B, C and the gate."""
        return self.layers * self.width * (2 * self.state + self.width)


class S5Block(Block):
    """One layer; in front of the first one there is a ReLU behind the encoder.

    ::

        r  = relu(r)                            of the first layer
        u  = norm(r)
        x' = abar x + gain (B u)                P complex states
        y  = C relu(x') + D u                   relu: both parts where Re x' > 0, else 0
        v  = relu(y)
        r  = relu(r + v * sigmoid(W v + b))
    """

    complex_rows = ("into",)  # pruning keeps both parts of a complex weight, or neither

    @classmethod
    def stack(cls, config: S5Config) -> list[Self]:  # type: ignore[override]
        """Return the blocks of a network."""
        return [cls(config, index == 0) for index in range(config.layers)]

    def __init__(self, config: S5Config, first: bool = False) -> None:
        super().__init__(config)
        self.first = first
        self.norm = make_norm(config.norm, config.width)
        self.into = _drawn(config.width, config.state, math.sqrt(1 / (2 * config.width)))
        self.states = ComplexStates(
            config.state // 2,
            blocks=config.blocks,
            dt_min=config.dt_min,
            dt_max=config.dt_max,
        )
        # 2 Re(C x): the factor 2 and the sign of the imaginary part are in the weights
        self.out = _drawn(config.state, config.width, 2 * math.sqrt(1 / config.state))
        self.d = nn.Parameter(torch.randn(config.width))
        self.gate = nn.Linear(config.width, config.width)
        self.dropout = nn.Dropout1d(config.dropout)

    def forward(self, r: Tensor) -> tuple[Tensor, Tensor]:
        """Return the stream after the block (H, B, L), and which states are sent (P, B, L)."""
        r = self._entering(r)
        u = normalize(self.norm, r)
        return self._behind(r, u, self.states(mix(self.into, u)))

    def _entering(self, r: Tensor) -> Tensor:
        return torch.relu(r) if self.first else r

    def _behind(self, r: Tensor, u: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        sent = gated(x)
        v = torch.relu(mix(self.out, sent) + self.d[:, None, None] * u)
        v = self.dropout(v)
        added = v * torch.sigmoid(mix(self.gate, v))
        return torch.relu(r + added), (x[: len(x) // 2] > 0).to(x.dtype)

    def carry(self, r: Tensor, state: States) -> tuple[Tensor, Tensor, States]:
        """Return what `forward` does for the next piece of a sequence, and the state behind it."""
        r = self._entering(r)
        u = normalize(self.norm, r)
        x, after = self.states.carry(mix(self.into, u), state[0])
        return (*self._behind(r, u, x), (after,))

    def initial_state(self, batch: int) -> States:
        """Return the complex states before the first step, (B, P)."""
        return (self.states.initial_state(batch),)

    def step(self, r: Tensor, state: States) -> tuple[Tensor, States]:
        """Return the stream (B, H) and the state after one time step."""
        r = self._entering(r)
        u = self.norm(r)
        x, after = self.states.step(self.into(u), state[0])
        v = torch.relu(self.out(gated(x, 1)) + self.d * u)
        return torch.relu(r + v * torch.sigmoid(self.gate(v))), (after,)


def gated(x: Tensor, dim: int = 0) -> Tensor:
    """Return complex values where their real part is above 0, else 0; both parts alike."""
    re, im = x.chunk(2, dim)
    passes = re > 0
    return torch.cat([re * passes, im * passes], dim)


def _drawn(inputs: int, outputs: int, spread: float) -> nn.Linear:
    """Return a matrix without bias, of normal numbers."""
    matrix = nn.Linear(inputs, outputs, bias=False)
    nn.init.normal_(matrix.weight, 0, spread)
    return matrix


FAMILY = Family(S5Config, S5Block)
