"""Shared by the families of state space layers: norm, state space layer, residual stream.

Shape letters: ``B`` batch, ``L`` time steps, ``H`` features, ``M`` complex modes a feature.
Signals: ``r`` residual stream, ``u`` drive of the state space layer, ``y`` its output, ``s``
spikes.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

from torch import Tensor, nn

from neurossm_models.block import Block, States
from neurossm_models.chain import Stage, run_chain
from neurossm_models.config import ResidualConfig
from neurossm_models.diagonal import DiagonalLayer
from neurossm_models.gpu.layer import Normed
from neurossm_models.gpu.neuron import Neurons
from neurossm_models.gpu.norm import measure
from neurossm_models.gpu.setting import is_triton
from neurossm_models.layers import is_plain, make_norm, normalize
from neurossm_models.s4d import S4D
from neurossm_models.stages import Norm, Recurrence


class StateSpaceBlock(Block):
    """One layer: ``r + respond(S4D(norm(r)))``, or ``norm(r + respond(S4D(r)))`` with a post-norm.

    A family says what `respond` is: from the output of the state space layer to what is added to
    the residual stream. Dropout silences whole features for a whole sequence (as S4 does).
    """

    def __init__(self, config: ResidualConfig) -> None:
        super().__init__(config)
        self.prenorm = config.prenorm
        self.norm = make_norm(config.norm, config.width)
        self.ssm = self.make_ssm(config)
        self.dropout = nn.Dropout1d(config.dropout)

    def make_ssm(self, config: Any, kind: type[S4D] = S4D) -> DiagonalLayer:
        """Return the state space layer: S4D, or a kind of it."""
        return kind(
            config.width,
            config.state,
            init=config.init,
            discretization=config.discretization,
            dt_min=config.dt_min,
            dt_max=config.dt_max,
            train_b=config.train_b,
            bidirectional=config.bidirectional,
        )

    def forward(self, r: Tensor) -> tuple[Tensor, Tensor]:
        """Return the residual stream after the block and the spikes in it, both (H, B, L)."""
        if self.native(r):
            return self.forward_native(r)
        if self.fused(r):
            return self.forward_fused(r)
        u = normalize(self.norm, r) if self.prenorm else r
        added, s = self.respond(self.ssm(u))
        return self.leave(r + added), s

    def carry(self, r: Tensor, state: States) -> tuple[Tensor, Tensor, States]:
        """Return what `forward` does for the next piece of a sequence, and the state behind it.

        In evaluation mode, of a causal block; the state is that of `step`.
        """
        modes, *membrane = state
        u = normalize(self.norm, r) if self.prenorm else r
        y, modes = self.ssm.carry(u, modes)
        added, s, after = self.respond_on(y, tuple(membrane))
        return self.leave(r + added), s, (modes, *after)

    def leave(self, r: Tensor) -> Tensor:
        """Return the stream after the block for the sum at its end, (H, B, L): a post-norm."""
        return r if self.prenorm else normalize(self.norm, r)

    def leave_step(self, r: Tensor) -> Tensor:
        """As `leave`, for one time step (B, H)."""
        return r if self.prenorm else self.norm(r)

    def native(self, r: Tensor) -> bool:
        """Say whether the chain of native kernels computes this block."""
        return self._joins() and self.ssm.form_for(r) == "native"

    def fused(self, r: Tensor) -> bool:
        """Say whether a kernel of Triton computes norm and state space layer together."""
        return self._joins() and is_triton(self.ssm.form_for(r))

    def _joins(self) -> bool:
        return (
            self.prenorm
            and type(self.norm) is nn.BatchNorm1d  # a subclass has other statistics
            and self.ssm.c_backward is None
            and all(is_plain(module) for module in self.modules() if module is not self)
        )

    def forward_fused(self, r: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward`, with norm, state space layer and, if it can be, neuron in one kernel."""
        assert isinstance(self.norm, nn.BatchNorm1d)
        norm = Normed(measure(self.norm, r), self.norm.weight, self.norm.bias)
        neurons = self.fused_neurons(r)
        out = self.ssm.with_neighbors(r, norm, neurons)
        added, s = self.respond(out) if neurons is None else self.respond_to_spikes(out)
        return self.leave(r + added), s

    def fused_neurons(self, r: Tensor) -> Neurons | None:
        """Return the neurons that join the kernel for sequences like r; none by default."""
        return None

    def respond_to_spikes(self, s: Tensor) -> tuple[Tensor, Tensor]:
        """As `respond`, for the spikes of neurons that joined the kernel; none do by default."""
        return self.respond(s)

    def forward_native(self, r: Tensor) -> tuple[Tensor, Tensor]:
        """As `forward`, with the norm, the state space layer and the neuron in one chain."""
        return self.close(r, self.run_chain(r))

    def run_chain(self, r: Tensor) -> Tensor:
        """Return the output of the last stage for the residual stream (H, B, L)."""
        assert isinstance(self.norm, nn.BatchNorm1d)
        stages = [
            Norm(self.norm, r[0].numel()),
            Recurrence(self.ssm.tables(r.shape[-1])),
            *self.neuron_stages(r),
        ]
        s = run_chain(r, *stages)
        for stage in stages:
            if isinstance(stage, Norm):
                stage.finish()
        return s

    @abstractmethod
    def neuron_stages(self, r: Tensor) -> list[Stage]:
        """Return the stages behind the state space layer, for sequences like r."""

    @abstractmethod
    def close(self, r: Tensor, out: Tensor) -> tuple[Tensor, Tensor]:
        """Return the stream after the block, and the spikes, given the output of the chain."""

    def kept(self, s: Tensor) -> Tensor:
        """Return dropout's factor of each feature and sequence, (H, B)."""
        kept: Tensor = self.dropout(s.new_ones(*s.shape[:2], 1))
        return kept[..., 0]

    def initial_state(self, batch: int) -> States:
        """Return the state before the first step; the modes (B, H, M) come first."""
        return (self.ssm.initial_state(batch), *self.initial_membrane(batch))

    def step(self, r: Tensor, state: States) -> tuple[Tensor, States]:
        """Return the residual stream (B, H) and the state after one time step."""
        modes, *membrane = state
        y, modes = self.ssm.step(self.norm(r) if self.prenorm else r, modes)
        added, after = self.respond_step(y, tuple(membrane))
        return self.leave_step(r + added), (modes, *after)

    @abstractmethod
    def respond(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is added to the stream, and the spikes, for y (H, B, L)."""

    def respond_on(self, y: Tensor, membrane: States) -> tuple[Tensor, Tensor, States]:
        """Return what `respond` does behind a membrane, and the next one; none by default."""
        return (*self.respond(y), ())

    @abstractmethod
    def respond_step(self, y: Tensor, membrane: States) -> tuple[Tensor, States]:
        """Return what is added to the stream, and the next membrane, for y (B, H)."""

    def initial_membrane(self, batch: int) -> States:
        """Return the state of the neuron before the first step; none by default."""
        return ()
