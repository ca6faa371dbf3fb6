"""PRF: resonate-and-fire neurons in time and spiking neurons in space, without any gate.

Shape letters: ``B`` batch, ``L`` time steps, ``H`` features. Signals: ``r`` residual stream, ``y``
real part of the resonators, ``s`` spikes in time, ``q`` spikes in space.

Source: Huang, Liu, Feng, Lin, Ren, Fu, Zhou, Xing, Cheng, "PRF: Parallel Resonate and Fire Neuron
for Long Sequence Learning in Spiking Neural Networks", 2024 (arXiv 2410.03530); the neuron as in
the released code (github.com/HuuYuLong/prf @15a7238), which has no blocks and no training.

Deviations: the place of the normalization within a block is not known here; a batch norm in front
of the resonators folds. Spikes are sent at the threshold, too (u >= theta; the paper: u > theta).
The backward kernel of a bidirectional layer shares the poles and has trained output weights; what
the paper does is not known here. The amplitude of the spatial neuron is one number a block.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from neurossm.validation import Positive
from neurossm_models.block import States
from neurossm_models.chain import Stage, run_chain
from neurossm_models.config import ResidualConfig, Surrogate
from neurossm_models.families.family import Family
from neurossm_models.layers import affine, mix
from neurossm_models.mixing import add_mixed
from neurossm_models.resonators import Resonators
from neurossm_models.stages import Threshold
from neurossm_models.state_space import StateSpaceBlock
from neurossm_models.surrogate import Spike

SPATIAL_THRESHOLD = 0.5  # H(x - 0.5) in the paper


@dataclass(frozen=True)
class PRFConfig(ResidualConfig):
    """A network of resonate-and-fire neurons.

    Parameters
    ----------
    tau
        Time constant of the resonators; in units of time of which a step lasts dt. Not trained.
    turns
        Initial frequencies are uniform between 0 and 2 pi times this.
    threshold
        Threshold of every resonator.
    train_threshold
        Whether thresholds are trained; the paper's are not.
    amplitude
        Initial amplitude of the spikes of the spatial neurons; trained.
    surrogate
        As of `BinaryS4DConfig`.
    """

    tau: Positive = 2.0
    turns: Positive = 1.0
    threshold: Positive = 1.0
    train_threshold: bool = False
    amplitude: Positive = 1.0
    surrogate: Surrogate = "arctan"

    NAME: ClassVar[str] = "prf"

    @property
    def states(self) -> int:
        """Real and imaginary part of a resonator."""
        return 2

    @property
    def shape(self) -> str:
        """Layers and their sizes, in words for a model card."""
        return f"{super().shape}, a resonator for each feature"

    def _least_inside(self) -> int:
        """Return the numbers that the layers have at least: two matrices."""
        return 2 * self.layers * self.width**2


class PRFBlock(StateSpaceBlock):
    """One layer: temporal neurons, a matrix, spatial neurons, a matrix.

    ::

        s = 1[y >= theta]                        y = Re z of the resonators
        v = r + W1 s + b1                        temporal mixing
        q = 1[v >= 0.5]
        r = v + W2 (alpha q) + b2                channel mixing
    """

    def __init__(self, config: PRFConfig) -> None:
        super().__init__(config)
        self.spike = self.make_spike(config)
        self.mix = nn.Linear(config.width, config.width)
        self.spatial = Spike(config.width, SPATIAL_THRESHOLD, config.surrogate, train=False)
        self.amplitude = nn.Parameter(torch.tensor(config.amplitude))
        self.spatial_mix = nn.Linear(config.width, config.width)

    def make_ssm(self, config: Any, kind: Any = None) -> Resonators:
        """Return the resonators."""
        return Resonators(
            config.width,
            tau=config.tau,
            dt_min=config.dt_min,
            dt_max=config.dt_max,
            turns=config.turns,
            bidirectional=config.bidirectional,
        )

    def make_spike(self, config: Any) -> Any:
        """Return the threshold behind the resonators."""
        return Spike(config.width, config.threshold, config.surrogate, config.train_threshold)

    def respond(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is added to the stream, and the spikes in time, for y (H, B, L)."""
        s = self.spike(y)
        return mix(self.mix, self.dropout(s)), s

    def leave(self, r: Tensor) -> Tensor:
        """Return the stream (H, B, L) behind the spatial neurons, for that in front of them."""
        q = self.dropout(self.spatial(r))
        return super().leave(r + affine(q, self.spatial_weight(), self.spatial_mix.bias))

    def spatial_weight(self) -> Tensor:
        """Return the matrix behind the spatial neurons with their amplitude, (H, H)."""
        return self.amplitude * self.spatial_mix.weight

    def neuron_stages(self, r: Tensor) -> list[Stage]:
        """Return the threshold, for sequences like r."""
        return [Threshold(self.spike.theta, self.spike.surrogate)]

    def close(self, r: Tensor, out: Tensor) -> tuple[Tensor, Tensor]:
        """Return the stream after the block, and the spikes in time, which the chain gave."""
        v = add_mixed(r, out, self.mix.weight, self.mix.bias, self.kept(out))
        q = run_chain(v, Threshold(self.spatial.theta, self.spatial.surrogate))
        return add_mixed(v, q, self.spatial_weight(), self.spatial_mix.bias, self.kept(q)), out

    def respond_step(self, y: Tensor, membrane: States) -> tuple[Tensor, States]:
        """Return what is added to the stream, for y (B, H); there is no membrane."""
        return self.mix(self.spike.step(y)), ()

    def leave_step(self, r: Tensor) -> Tensor:
        """Return the stream (B, H) behind the spatial neurons."""
        q = self.spatial.step(r)
        return super().leave_step(r + q @ self.spatial_weight().T + self.spatial_mix.bias)


FAMILY = Family(PRFConfig, PRFBlock)
