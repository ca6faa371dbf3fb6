"""Binary S4D: state space layers whose outputs are spikes, on a real-valued residual stream.

Shape letters: ``B`` batch, ``L`` time steps, ``F`` input features, ``H`` features (width),
``M`` complex modes a feature, ``C`` classes. Signals: ``r`` residual stream, ``u`` drive of the
state space layer, ``y`` its output, ``v`` the normalized output, ``s`` spikes.

The public input is (B, L, F); inside, time is the last axis, (B, H, L).

Source: Stan and Rhodes, "Learning long sequences in spiking neural networks", Scientific Reports
14:21957, 2024 (arXiv 2401.00955). The paper's place of the normalizations is not known here; this
one (batch norm before and after the state space layer) folds into constants when deployed.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from neurossm.errors import InputError
from neurossm_models.config import BinaryS4DConfig
from neurossm_models.s4d import S4D
from neurossm_models.surrogate import Spike


@dataclass(frozen=True, eq=False)
class Recording:
    """What `BinaryS4D.record` saw.

    Attributes
    ----------
    logits
        Shape (B, C).
    spikes
        One boolean tensor (B, H, L) for each block.
    rates
        Spikes per neuron and time step, for each block.
    """

    logits: Tensor
    spikes: tuple[Tensor, ...]
    rates: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class State:
    """What `BinaryS4D.step` carries from one time step to the next.

    Attributes
    ----------
    modes
        The state of each block's state space layer, complex, shape (B, H, M).
    total
        Sum of the decoder's outputs so far, shape (B, C).
    steps
        Time steps seen.
    """

    modes: tuple[Tensor, ...]
    total: Tensor
    steps: int


class Block(nn.Module):
    """One layer: ``r + mix(dropout(1[norm(S4D(norm(r))) >= theta]))``.

    Dropout silences whole features for a whole sequence, so that a dropped feature is dropped at
    every step of it (S4 drops in the same way).
    """

    def __init__(self, config: BinaryS4DConfig) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(config.width)
        self.ssm = S4D(
            config.width,
            config.state,
            init=config.init,
            discretization=config.discretization,
            dt_min=config.dt_min,
            dt_max=config.dt_max,
        )
        self.ssm_norm = nn.BatchNorm1d(config.width)
        self.spike = Spike(config.width, config.threshold)
        self.dropout = nn.Dropout1d(config.dropout)
        self.gated = config.mixing == "glu"
        self.mix = nn.Linear(config.width, config.width * (2 if self.gated else 1))

    def forward(self, r: Tensor) -> tuple[Tensor, Tensor]:
        """Return the residual stream after the block and the spikes in it, both (B, H, L)."""
        s = self.spike(self.ssm_norm(self.ssm(self.norm(r))))
        return r + self._mixed(self.dropout(s)), s

    def step(self, r: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the residual stream (B, H) and the state (B, H, M) after one time step."""
        y, x = self.ssm.step(self.norm(r), x)
        s = self.spike(self.ssm_norm(y))
        return r + self._mixed(s[..., None]).squeeze(-1), x

    def _mixed(self, s: Tensor) -> Tensor:
        mixed = _affine(self.mix, s)
        if not self.gated:
            return mixed
        value, gate = mixed.chunk(2, dim=1)
        return value * gate.sigmoid()


class BinaryS4D(nn.Module):
    """A Binary S4D classifier of sequences.

    ``r = encoder(x)``, the blocks, and a readout that is the mean over time of ``decoder(r_t)``.
    Every part is causal: the readout after t steps is the answer to the first t steps.

    Parameters
    ----------
    config
        Shape and initialization.
    """

    def __init__(self, config: BinaryS4DConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = nn.Linear(config.in_features, config.width)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.decoder = nn.Linear(config.width, config.classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits after the last step: (B, L, F) to (B, C)."""
        r, _ = self._stream(x)
        # The decoder is affine, so the mean may be taken before it: L times less work.
        logits: Tensor = self.decoder(r.mean(-1))
        return logits

    def forward_sequence(self, x: Tensor) -> Tensor:
        """Return the logits after every step: (B, L, F) to (B, L, C)."""
        r, _ = self._stream(x)
        steps = torch.arange(1, r.shape[-1] + 1, dtype=r.dtype, device=r.device)
        return (_affine(self.decoder, r).cumsum(-1) / steps).transpose(1, 2)

    def record(self, x: Tensor) -> Recording:
        """Return the logits together with the spikes of every block; x has shape (B, L, F)."""
        r, spikes = self._stream(x)
        rates = tuple(float(s.mean()) for s in spikes)
        return Recording(self.decoder(r.mean(-1)), tuple(s.bool() for s in spikes), rates)

    def initial_state(self, batch: int) -> State:
        """Return the state before the first step, for `batch` sequences side by side."""
        modes = tuple(block.ssm.initial_state(batch) for block in self._blocks())
        total = torch.zeros(batch, self.config.classes, dtype=self.decoder.weight.dtype)
        return State(modes, total.to(self.decoder.weight.device), 0)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the logits after one more time step, and the state to carry on.

        Parameters
        ----------
        x
            One time step of the input, shape (B, F).
        state
            From `initial_state` or from the step before.

        Returns
        -------
        tuple of Tensor and State
            The running logits (B, C), equal to `forward_sequence` at this step within rounding.

        Raises
        ------
        InputError
            In training mode, where normalization needs whole batches.
        """
        if self.training:
            raise InputError("BinaryS4D.step", got="training mode", remedy="call eval() first")
        r = self.encoder(x)
        modes = []
        for block, mode in zip(self._blocks(), state.modes, strict=True):
            r, mode = block.step(r, mode)
            modes.append(mode)
        after = State(tuple(modes), state.total + self.decoder(r), state.steps + 1)
        return after.total / after.steps, after

    def _stream(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the residual stream after the last block and the spikes of each, (B, H, L)."""
        features = self.config.in_features
        if x.ndim != 3 or x.shape[-1] != features:
            expected = f"shape (batch, steps, {features})"
            raise InputError("BinaryS4D input", expected=expected, got=f"shape {tuple(x.shape)}")
        r = _affine(self.encoder, x.transpose(1, 2))
        spikes = []
        for block in self._blocks():
            r, s = block(r)
            spikes.append(s)
        return r, spikes

    def _blocks(self) -> list[Block]:
        return [block for block in self.blocks if isinstance(block, Block)]


def _affine(linear: nn.Linear, x: Tensor) -> Tensor:
    """Apply a Linear over the feature axis of (B, H, L), without moving that axis.

    A plain ``weight @ x`` is folded by PyTorch into one product whose result has time before
    features in memory; every later operation is then slower.
    """
    weight = linear.weight.expand(x.shape[0], -1, -1)
    return torch.baddbmm(linear.bias[:, None], weight, x)
