"""Feed-forward spiking networks: layers of neurons with synapses in between, no residual stream.

The encoder is the synapses of the first layer, each further layer has its own, the decoder reads
the spikes of the last one.

Shape letters: ``B`` batch, ``L`` time steps, ``H`` features, ``D`` values that drive a layer: H, or
2 H where each neuron has two.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Self

from torch import Tensor, nn

from neurossm_models.block import Block, States
from neurossm_models.chain import run_chain
from neurossm_models.config import Delays, NetworkConfig, Surrogate
from neurossm_models.delay import Delay
from neurossm_models.layers import is_plain, make_norm, mix, normalize
from neurossm_models.neurons import AdaptiveLIF, ResonateAndFire
from neurossm_models.stages import Norm


@dataclass(frozen=True)
class FeedForwardConfig(NetworkConfig):
    """A feed-forward spiking network: what those families have in common.

    Dropout silences single spikes while training, as is usual there.

    Parameters
    ----------
    surrogate
        Derivative of the spike backward, a key of `neurossm_models.surrogate.DERIVATIVES`.
    delays
        Steps that spikes wait in front of the next synapses, 1 to 63: a number for all features, or
        several that features take in turn. Not trained; none by default.
    """

    surrogate: Surrogate = "boxcar"
    delays: Delays = ()

    @property
    def encoder_bias(self) -> bool:
        """Whether the encoder has a bias: no, synapses have none."""
        return False

    @property
    def states(self) -> int:
        """Real numbers of state of a neuron."""
        return 2

    def _least_inside(self) -> int:
        """Return the numbers that the layers have at least: synapses between them."""
        return (self.layers - 1) * self.width * self.encoded


class FeedForwardBlock(Block):
    """One layer: ``s = neuron(norm(W r))``, W of the first one being the encoder.

    What is sent is s, perhaps delayed, with dropout.
    """

    @classmethod
    def stack(cls, config: FeedForwardConfig) -> list[Self]:  # type: ignore[override]
        """Return the layers of a network."""
        return [cls(config, index) for index in range(config.layers)]

    def __init__(self, config: FeedForwardConfig, index: int) -> None:
        super().__init__(config)
        self.linear: nn.Linear | None = None
        if index:
            self.linear = nn.Linear(config.width, config.encoded, bias=False)
            self.start(self.linear)
        self.norm = make_norm(config.norm, config.encoded)
        self.neuron = self.make_neuron(config)
        self.delay = Delay(config.width, config.delays)
        self.dropout = nn.Dropout(config.dropout)

    @abstractmethod
    def make_neuron(self, config: FeedForwardConfig) -> AdaptiveLIF | ResonateAndFire:
        """Return the layer's neurons."""

    def forward(self, r: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is sent and the spikes in it, both (H, B, L)."""
        u = self.driven(r)
        s = self._chained(u) if self._joins(u) else self.neuron(normalize(self.norm, u))
        return self.sent(self.delay(s), r), s

    def driven(self, r: Tensor) -> Tensor:
        """Return what arrives at the norm, (D, B, L), of what the layer before sent."""
        return r if self.linear is None else mix(self.linear, r)

    def behind_encoder(self, r: Tensor) -> Tensor:
        """Return the norm of r times the gain of the neurons: both fold into the encoder."""
        gain = self.neuron.dynamics()[0].repeat(self.neuron.operands)
        return gain[:, None, None] * normalize(self.norm, r)

    def sent(self, s: Tensor, r: Tensor) -> Tensor:
        """Return what is sent of spikes (H, B, L)."""
        sent: Tensor = self.dropout(s)
        return sent

    def _joins(self, u: Tensor) -> bool:
        """Say whether the chain of native kernels computes norm and neurons."""
        return (
            type(self.norm) is nn.BatchNorm1d  # a subclass has other statistics
            and is_plain(self.norm)
            and is_plain(self.neuron)
            and self.neuron.operands == 1
            and self.neuron.form_for(u) == "native"
        )

    def _chained(self, u: Tensor) -> Tensor:
        assert isinstance(self.norm, nn.BatchNorm1d)
        norm = Norm(self.norm, u[0].numel())
        s = run_chain(u, norm, self.neuron.stage())
        norm.finish()
        return s

    def carry(self, r: Tensor, state: States) -> tuple[Tensor, Tensor, States]:
        """Return what `forward` does for the next piece of a sequence, and the state behind it."""
        s, after = self.neuron.carry(normalize(self.norm, self.driven(r)), state[:2])
        arriving, waiting = self.delay.carry(s, state[2:])
        return self.sent(arriving, r), s, (*after, *waiting)

    def initial_state(self, batch: int) -> States:
        """Return both states of the neurons, (B, H), and the spikes that wait, before the start."""
        like = next(self.neuron.parameters())
        return (*self.neuron.initial_state(batch), *self.delay.initial_state(batch, like))

    def step(self, r: Tensor, state: States) -> tuple[Tensor, States]:
        """Return what is sent (B, H) and the state after one time step."""
        u = r if self.linear is None else self.linear(r)
        s, after = self.neuron.step(self.norm(u), state[:2])
        arriving, waiting = self.delay.step(s, state[2:])
        return self.sent(arriving, r), (*after, *waiting)
