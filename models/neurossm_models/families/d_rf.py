"""D-RF: dendritic resonators behind an adaptive threshold, in blocks like those of PRF.

Shape letters: ``B`` batch, ``L`` time steps, ``H`` features, ``K`` taps. Signals: ``y`` sum of the
real parts of the dendrites, ``s`` spikes in time.

Source: Zhang, Zhang, Wang, Wang, Wei, Ma, Wang, Yang, Li, "Dendritic Resonate-and-Fire Neuron for
Effective and Efficient Long Sequence Modeling", NeurIPS 2025 (arXiv 2509.17186).

Deviations: all dendrites of a neuron share a time step and a time constant, which is not trained;
their frequencies are its own. The number of candidates that raise the threshold is not known here;
it is 4 by default. Input weights are the time step, as in PRF, and what is trained is the sum C.
Spikes are sent at the threshold, too. Norm, spatial neuron and what a bidirectional layer is are
those of the family PRF; the residual sums, too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field
from torch import Tensor

from neurossm.validation import Count
from neurossm_models.block import States
from neurossm_models.chain import Stage
from neurossm_models.config import Surrogate
from neurossm_models.families.family import Family
from neurossm_models.families.prf import PRFBlock, PRFConfig
from neurossm_models.layers import mix
from neurossm_models.neurons.adaptive_threshold import MOST_TAPS, AdaptiveSpike
from neurossm_models.resonators import Resonators


@dataclass(frozen=True)
class DRFConfig(PRFConfig):
    """A network of dendritic resonate-and-fire neurons.

    Parameters
    ----------
    dendrites
        Resonators of a neuron; the paper has 4 for images and 8 for the Long Range Arena.
    taps
        How many earlier candidates of spikes raise the threshold, at most 16.
    alpha
        Initial value of what each adds, in units of the threshold; trained, between 0 and 1.
    """

    dendrites: Count = 8
    taps: Annotated[int, Field(strict=True, ge=1, le=MOST_TAPS)] = 4
    alpha: Annotated[float, Field(gt=0, lt=1)] = 0.5
    surrogate: Surrogate = "double_gaussian"

    NAME: ClassVar[str] = "d-rf"

    @property
    def states(self) -> int:
        """Real and imaginary part of each dendrite."""
        return 2 * self.dendrites

    @property
    def inside(self) -> tuple[int, ...]:
        """Dendrites of a neuron."""
        return (self.dendrites,)

    def with_modes(self, modes: int) -> Self:
        """Return a configuration with so many dendrites."""
        return replace(self, dendrites=modes)

    @property
    def shape(self) -> str:
        """Layers and their sizes, in words for a model card."""
        layers = f"{self.layers} layers, width {self.width}"
        return f"{layers}, {self.dendrites} dendrites a neuron, {self.taps} taps"


class DRFBlock(PRFBlock):
    """One layer: as `PRFBlock`, with the sum of several resonators and an adaptive threshold.

    ::

        y = sum_m C_m Re z_m
        c = 1[y >= theta],  s_t = 1[y_t >= theta + sum_k alpha_k theta c_{t-1-k}]
    """

    def make_ssm(self, config: Any, kind: Any = None) -> Resonators:
        """Return the dendrites."""
        return Resonators(
            config.width,
            config.dendrites,
            weights=True,
            tau=config.tau,
            dt_min=config.dt_min,
            dt_max=config.dt_max,
            turns=config.turns,
            bidirectional=config.bidirectional,
        )

    def make_spike(self, config: Any) -> AdaptiveSpike:
        """Return the adaptive threshold of the somata."""
        return AdaptiveSpike(
            config.width,
            config.taps,
            threshold=config.threshold,
            alpha=config.alpha,
            surrogate=config.surrogate,
            train_threshold=config.train_threshold,
        )

    def respond_on(self, y: Tensor, membrane: States) -> tuple[Tensor, Tensor, States]:
        """Return what `respond` does behind candidates, and the next ones."""
        s, after = self.spike.carry(y, membrane[0])
        return mix(self.mix, self.dropout(s)), s, (after,)

    def neuron_stages(self, r: Tensor) -> list[Stage]:
        """Return the adaptive threshold, for sequences like r."""
        return [self.spike.stage()]

    def initial_membrane(self, batch: int) -> States:
        """Return the candidates before the first step, (B, K, H)."""
        return (self.spike.initial_state(batch),)

    def respond_step(self, y: Tensor, membrane: States) -> tuple[Tensor, States]:
        """Return what is added to the stream, and the next candidates, for y (B, H)."""
        s, after = self.spike.step(y, membrane[0])
        return self.mix(s), (after,)


FAMILY = Family(DRFConfig, DRFBlock)
