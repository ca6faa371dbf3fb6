"""Binary S4D: state space layers whose outputs are spikes, on a real-valued residual stream.

Shape letters: ``B`` batch, ``L`` time steps, ``H`` features. Signals: ``y`` output of the state
space layer, ``v`` its normalized form, ``s`` spikes, ``o`` what is added to the residual stream.

Source: Stan and Rhodes, "Learning long sequences in spiking neural networks", Scientific Reports
14:21957, 2024 (arXiv 2401.00955); equations as tabulated in arXiv 2410.03530, table 7.

Deviations: the place of the normalizations in the paper is not known here; this one (batch norm
before and after the state space layer) folds into constants when deployed. The spike threshold is
trained, one a feature; its published value is not known here. Mixing can be linear, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from neurossm_models.block import States
from neurossm_models.chain import Stage
from neurossm_models.config import Delays, Mixing, StateSpaceConfig, Surrogate
from neurossm_models.delay import Delay
from neurossm_models.families.family import Family
from neurossm_models.layers import glu, make_norm, mix, normalize
from neurossm_models.mixing import add_mixed
from neurossm_models.stages import Norm, Threshold
from neurossm_models.state_space import StateSpaceBlock
from neurossm_models.surrogate import Spike


@dataclass(frozen=True)
class BinaryS4DConfig(StateSpaceConfig):
    """A Binary S4D network.

    Parameters
    ----------
    mixing
        ``"glu"``: ``(W1 s + b1) * sigmoid(W2 s + b2)``, as published; ``"linear"``: ``W s + b``.
    threshold
        Initial value of every spike threshold, in standard deviations of the normalized v.
    surrogate
        Derivative of the spike backward, a key of `neurossm_models.surrogate.DERIVATIVES`.
    delays
        Steps that spikes wait in front of the mixing, 1 to 63: a number for all features, or
        several that features take in turn. Not trained; none by default.
    """

    mixing: Mixing = "glu"
    threshold: float = 1.0
    surrogate: Surrogate = "arctan"
    delays: Delays = ()

    NAME: ClassVar[str] = "binary-s4d"


class BinaryS4DBlock(StateSpaceBlock):
    """One layer of Binary S4D.

    ::

        v = norm(y)                                   y = C x + D u
        s = 1[v >= theta]                             H(.) in table 7; delayed, where it says so
        o = (W1 s + b1) * sigmoid(W2 s + b2)          table 7; or W s + b
    """

    def __init__(self, config: BinaryS4DConfig) -> None:
        super().__init__(config)
        self.ssm_norm = make_norm(config.norm, config.width)
        self.spike = Spike(config.width, config.threshold, config.surrogate)
        self.delay = Delay(config.width, config.delays)
        self.gated = config.mixing == "glu"
        self.mix = nn.Linear(config.width, config.width * (2 if self.gated else 1))

    def respond(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is added to the stream, and the spikes, for y (H, B, L)."""
        s = self.spike(normalize(self.ssm_norm, y))
        return self._mixed(self.delay(s)), s

    def respond_on(self, y: Tensor, membrane: States) -> tuple[Tensor, Tensor, States]:
        """Return what `respond` does behind spikes that wait, and those that wait then."""
        s = self.spike(normalize(self.ssm_norm, y))
        arriving, waiting = self.delay.carry(s, membrane)
        return self._mixed(arriving), s, waiting

    def _mixed(self, arriving: Tensor) -> Tensor:
        mixed = mix(self.mix, self.dropout(arriving))
        return glu(mixed) if self.gated else mixed

    def neuron_stages(self, r: Tensor) -> list[Stage]:
        """Return norm and threshold, for sequences like r."""
        assert isinstance(self.ssm_norm, nn.BatchNorm1d)
        spike = Threshold(self.spike.theta, self.spike.surrogate)
        return [Norm(self.ssm_norm, r[0].numel()), spike]

    def close(self, r: Tensor, out: Tensor) -> tuple[Tensor, Tensor]:
        """Return the residual stream after the block, and the spikes, which the chain gave."""
        s = self.delay(out)
        return add_mixed(r, s, self.mix.weight, self.mix.bias, self.kept(s)), out

    def initial_membrane(self, batch: int) -> States:
        """Return the spikes that wait before the first step; there is no membrane."""
        return self.delay.initial_state(batch, self.mix.weight)

    def respond_step(self, y: Tensor, membrane: States) -> tuple[Tensor, States]:
        """Return what is added to the stream, and the spikes that wait then, for y (B, H)."""
        s, waiting = self.delay.step(self.spike.step(self.ssm_norm(y)), membrane)
        mixed = self.mix(s)
        return glu(mixed.T).T if self.gated else mixed, waiting


FAMILY = Family(BinaryS4DConfig, BinaryS4DBlock)
