"""The STE network of a block of D-RF neurons; names are those of the exporter."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from neurossm_models.chain import Stage
from neurossm_models.families.d_rf import DRFBlock
from neurossm_models.neurons.adaptive_threshold import adaptive_spikes
from neurossm_models.qat_model import IntegerRun
from neurossm_models.stages import AdaptiveThreshold
from neurossm_models.ste.families.prf import outputs_behind
from neurossm_models.ste.operations import straight


def ste_outputs(name: str, block: DRFBlock, r: Tensor, run: IntegerRun) -> Tensor:
    """Return the residual stream (H, B, L) after a block of this name."""
    spike, p, path = block.spike, run.parameters, f"{name}.spike"
    theta = straight(spike.theta, p[f"{path}.theta"])
    taps = straight(spike.taps, p[f"{path}.taps"])
    given = _GivenSpikes(run.values[path], theta, taps, spike.surrogate)
    return outputs_behind(name, block, r, run, given)


@dataclass(frozen=True, eq=False)
class _GivenSpikes:
    """Adaptive thresholds whose spikes are given: sums of taps may be no float32."""

    spikes: Tensor
    theta: Tensor
    taps: Tensor
    surrogate: str

    @property
    def stage(self) -> Stage:
        return _Stage(self.spikes, self.theta, self.taps, self.surrogate)

    def __call__(self, y: Tensor) -> Tensor:
        s = adaptive_spikes(y, self.theta, self.taps, surrogate=self.surrogate)
        return straight(s, self.spikes)


class _Stage(AdaptiveThreshold):
    def __init__(self, spikes: Tensor, theta: Tensor, taps: Tensor, surrogate: str) -> None:
        super().__init__(theta, taps, surrogate)
        self.spikes = spikes

    def forward(self, part: slice, x: Tensor, y: Tensor) -> Any:
        """Write the given spikes."""
        y.copy_(self.spikes[part])
