"""SpikingSSM: a state space layer, a leaky integrate-and-fire neuron with hard reset, a gate.

Shape letters: ``B`` batch, ``L`` time steps, ``H`` features. Signals: ``y`` output of the state
space layer, ``s`` spikes, ``o`` what is added to the residual stream.

Source: Shen, Wang, Huang, Zhong, Guo, Lu, Zhang, Leng, "SpikingSSMs: Learning Long Sequences with
Sparse and Parallel Spiking State Space Models", AAAI 2025 (arXiv 2408.14909).

A second set of modes (`sets`): LongSpike, 2026 (arXiv 2606.12895).

Deviations: the norm is a batch norm before the state space layer, where it acts and folds; the
released code computes a post-norm and drops it. Training runs the exact neuron, reset path
included, by default; the paper's surrogate dynamic network, with its detached membrane, is one
setting away (``train.neuron = "sdn"``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from neurossm.validation import Factor, Positive
from neurossm_models.block import States
from neurossm_models.chain import Stage
from neurossm_models.config import Delays, Mixing, StateSpaceConfig, Surrogate
from neurossm_models.delay import Delay
from neurossm_models.diagonal import DiagonalLayer
from neurossm_models.families.family import Family
from neurossm_models.fractional import FractionalS4D
from neurossm_models.gpu.neuron import Neurons
from neurossm_models.gpu.setting import TRITON
from neurossm_models.layers import glu, mix
from neurossm_models.mixing import add_mixed
from neurossm_models.neurons import LIF
from neurossm_models.s4d import S4D
from neurossm_models.state_space import StateSpaceBlock


@dataclass(frozen=True)
class SpikingSSMConfig(StateSpaceConfig):
    """A SpikingSSM network.

    Parameters
    ----------
    mixing
        As of `BinaryS4DConfig`.
    tau
        Leak of the membrane: the factor by which it decays in a step. Not trained.
    threshold
        Initial value of every threshold.
    train_threshold
        Whether thresholds are trained (the paper's "VT"; otherwise "VF").
    surrogate, delays
        As of `BinaryS4DConfig`.
    sets
        Sets of modes. 2: a second one with shifted and scaled poles, for a fractional order
        (LongSpike, arXiv 2606.12895). An export then has twice the modes.
    """

    mixing: Mixing = "glu"
    tau: Factor = 0.125
    threshold: Positive = 1.0
    train_threshold: bool = True
    surrogate: Surrogate = "triangle"
    delays: Delays = ()
    sets: Literal[1, 2] = 1

    NAME: ClassVar[str] = "spikingssm"

    @property
    def states(self) -> int:
        """Real states of a feature, those of all sets."""
        return self.state * self.sets

    @property
    def shape(self) -> str:
        """Layers and their sizes, in words for a model card."""
        return super().shape + (", in each of two sets" if self.sets == 2 else "")


class SpikingSSMBlock(StateSpaceBlock):
    """One layer of a SpikingSSM.

    ::

        s = LIF(y / v_th)                             eq. 8, 9, 4; scaling by eq. 12; may be delayed
        o = (W1 s + b1) * sigmoid(W2 s + b2)          1x1 mixing to 2 H and GLU; or W s + b
    """

    def __init__(self, config: SpikingSSMConfig) -> None:
        super().__init__(config)
        self.neuron = self.make_neuron(config)
        self.delay = Delay(config.width, config.delays)
        self.gated = config.mixing == "glu"
        self.mix = nn.Linear(config.width, config.width * (2 if self.gated else 1))

    def make_ssm(self, config: Any, kind: type[S4D] = S4D) -> DiagonalLayer:
        """Return an S4D with one set of modes or two."""
        return super().make_ssm(config, kind if config.sets == 1 else FractionalS4D)

    def make_neuron(self, config: SpikingSSMConfig) -> LIF:
        """Return the neuron: hard reset, fixed leak, threshold of each feature."""
        return LIF(
            config.width,
            tau=config.tau,
            reset="hard",
            threshold=config.threshold,
            train_threshold=config.train_threshold,
            surrogate=config.surrogate,
        )

    def respond(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is added to the stream, and the spikes, for y (H, B, L)."""
        return self.respond_to_spikes(self.neuron(y))

    def respond_to_spikes(self, s: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is added to the stream for spikes (H, B, L), and these."""
        return self._mixed(self.delay(s)), s

    def respond_on(self, y: Tensor, membrane: States) -> tuple[Tensor, Tensor, States]:
        """Return what `respond` does behind a membrane, and the next one."""
        u, r, last, *before = membrane
        s, after = self.neuron.carry(y, (u, r, last))
        arriving, waiting = self.delay.carry(s, tuple(before))
        return self._mixed(arriving), s, (*after, *waiting)

    def _mixed(self, arriving: Tensor) -> Tensor:
        mixed = mix(self.mix, self.dropout(arriving))
        return glu(mixed) if self.gated else mixed

    def fused_neurons(self, r: Tensor) -> Neurons | None:
        """Return the exact neuron where its form is that of the kernel."""
        return self.neuron.for_kernels() if self.neuron.form_for(r) == TRITON else None

    def native(self, r: Tensor) -> bool:
        """Say whether the chain of native kernels computes this block."""
        return super().native(r) and self.neuron.form in ("auto", "native")

    def neuron_stages(self, r: Tensor) -> list[Stage]:
        """Return the exact neuron."""
        return [self.neuron.stage()]

    def close(self, r: Tensor, out: Tensor) -> tuple[Tensor, Tensor]:
        """Return the residual stream after the block, and the spikes, which the chain gave."""
        s = self.delay(out)
        return add_mixed(r, s, self.mix.weight, self.mix.bias, self.kept(s)), out

    def initial_membrane(self, batch: int) -> States:
        """Return membrane, refractory variable and last spike, (B, H), and the spikes that wait."""
        waiting = self.delay.initial_state(batch, self.mix.weight)
        return (*self.neuron.initial_state(batch), *waiting)

    def respond_step(self, y: Tensor, membrane: States) -> tuple[Tensor, States]:
        """Return what is added to the stream, and the next membrane, for y (B, H)."""
        u, r, last, *before = membrane
        s, after = self.neuron.step(y, (u, r, last))
        s, waiting = self.delay.step(s, tuple(before))
        mixed = self.mix(s)
        return glu(mixed.T).T if self.gated else mixed, (*after, *waiting)


FAMILY = Family(SpikingSSMConfig, SpikingSSMBlock)
