"""LIF neurons with learned delays: recurrent (DelRec), feed-forward (DCLS), or both.

Shape letters: ``B`` batch, ``L`` time steps, ``H`` features. A stream is what goes from one layer
to the next: spikes. Signals: ``u`` what arrives at the neurons of a layer, ``s`` their spikes.

Source: Queant, Rançon, Cottereau, Masquelier, "DelRec: learning delays in recurrent spiking neural
networks", 2025 (arXiv 2509.24852; code alexmaxad/DelRec e427881); Hammouamri, Khalfaoui-Hassani,
Masquelier, "Learning delays in spiking neural networks using dilated convolutions with learnable
spacings", ICLR 2024 (arXiv 2306.17670; code Thvnvtos/SNN-delays d169b4e).

Deviations: what is measured always has rounded delays, and training goes on from the real ones
(DelRec's code rounds its parameters at each evaluation). Delays end at 63 steps, what synapses of
Loihi 2 can wait. A norm stands between synapses and neurons, as in DCLS, where it folds; DelRec has
none, or one behind the spikes. Dropout is behind the neurons. The decoder has no delays and no
neurons; a readout follows it. The gradient passes the reset, which some of the published
configurations detach. Sequences keep their length: spikes that are delayed beyond their end are
lost, where DCLS's code appends steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field
from torch import Tensor, nn

from neurossm.validation import Factor, NotNegative
from neurossm_models.block import Block, States
from neurossm_models.config import LONGEST_DELAY, NetworkConfig, Surrogate
from neurossm_models.delayed_linear import DelayedLinear
from neurossm_models.families.family import Family
from neurossm_models.layers import make_norm, mix, normalize
from neurossm_models.neurons import LIF, RecurrentLIF
from neurossm_models.neurons.recurrent import Start
from neurossm_models.scheduled import Falling
from neurossm_models.windows import Window

Part = Annotated[float, Field(ge=0, lt=1)]
Steps = Annotated[int, Field(strict=True, ge=1, le=LONGEST_DELAY)]


@dataclass(frozen=True)
class DelRecConfig(NetworkConfig):
    """A network of LIF neurons with learned delays.

    Widths are those of the windows while training, in steps; they fall exponentially from their
    first value to their last in a part of all epochs.

    Parameters
    ----------
    rounded
        In which last part of the epochs delays are rounded while training, too, and weights alone
        are trained.
    recurrent
        ``"axonal"``: the neurons of a layer feed each other, and a delay belongs to each of them;
        ``"none"``.
    feedforward
        ``"synaptic"``: each weight between layers, and from the input to the first, has a delay;
        ``"none"``.
    tau
        Leak of the membranes: the factor by which they decay in a step. Not trained.
    reset
        ``"soft"``, ``"hard"`` or ``"none"``; the threshold is 1.
    surrogate
        Derivative of the spike backward, a key of `neurossm_models.surrogate.DERIVATIVES`.
    recurrent_dropout
        Probability with which what a neuron receives from its layer is left out for a sequence.
    recurrent_longest
        Steps that no recurrent delay exceeds, 1 to 63; the shortest is one step.
    recurrent_start, recurrent_scale, recurrent_offset
        Initial delays: ``1 + offset + scale |N(0, 1)|`` (``"half_normal"``), or uniform from
        ``1 + offset`` to ``1 + scale`` (``"uniform"``).
    recurrent_sigma, recurrent_sigma_end, recurrent_sigma_part
        Width of the triangle around a recurrent delay.
    recurrent_spread
        Whether each neuron has a trained factor of that width.
    recurrent_gain
        Of the orthogonal initial weights.
    feedforward_longest
        Steps that no feed-forward delay exceeds, 1 to 63; the shortest is none.
    feedforward_window
        ``"gauss"`` or ``"triangle"``: what a feed-forward delay is spread over.
    feedforward_sigma, feedforward_sigma_end, feedforward_sigma_part
        Its width (of the Gaussian 0.27 less); 0 for the triangle is linear interpolation.
    """

    rounded: Part = 0.0
    recurrent: Literal["axonal", "none"] = "axonal"
    feedforward: Literal["none", "synaptic"] = "none"
    tau: Factor = 0.5
    reset: Literal["soft", "hard", "none"] = "soft"
    surrogate: Surrogate = "triangle"
    recurrent_dropout: Factor = 0.0
    recurrent_longest: Steps = LONGEST_DELAY
    recurrent_start: Start = "half_normal"
    recurrent_scale: NotNegative = 12.0
    recurrent_offset: NotNegative = 0.0
    recurrent_sigma: NotNegative = 10.0
    recurrent_sigma_end: NotNegative = 0.0592
    recurrent_sigma_part: Annotated[float, Field(gt=0, le=1)] = 1.0
    recurrent_spread: bool = False
    recurrent_gain: NotNegative = 1.0
    feedforward_longest: Steps = 24
    feedforward_window: Window = "gauss"
    feedforward_sigma: NotNegative = 12.0
    feedforward_sigma_end: NotNegative = 0.23
    feedforward_sigma_part: Annotated[float, Field(gt=0, le=1)] = 0.25

    NAME: ClassVar[str] = "delrec"

    @property
    def recurrent_width(self) -> Falling:
        """Width of the triangle around a recurrent delay, over the epochs."""
        part = self.recurrent_sigma_part
        return Falling(self.recurrent_sigma, self.recurrent_sigma_end, part, self.rounded)

    @property
    def feedforward_width(self) -> Falling:
        """Width of the window around a feed-forward delay, over the epochs."""
        part = self.feedforward_sigma_part
        return Falling(self.feedforward_sigma, self.feedforward_sigma_end, part, self.rounded)

    @property
    def encodes(self) -> bool:
        """Whether there is an encoder: synapses without delays."""
        return self.feedforward == "none" or self.vocabulary > 0

    @property
    def encoder_bias(self) -> bool:
        """Whether synapses have a bias: where no norm has an offset behind them."""
        return self.norm == "none"

    @property
    def shape(self) -> str:
        """Layers and their sizes, in words for a model card."""
        kinds = f"recurrent delays {self.recurrent}, feed-forward delays {self.feedforward}"
        return f"{super().shape}, {kinds}"


class DelRecBlock(Block):
    """One layer.

    ::

        u = norm(W r)                     W: the synapses in front, each with a delay where it says
        s = LIF(u + V s[earlier])         V: recurrent weights, behind the delay of each neuron
    """

    @classmethod
    def stack(cls, config: NetworkConfig) -> list[Self]:
        """Return the layers of a network; the synapses of the first may be its encoder."""
        assert isinstance(config, DelRecConfig)
        return [cls(config, index) for index in range(config.layers)]

    def __init__(self, config: DelRecConfig, index: int = 1) -> None:
        super().__init__(config)
        self.linear = self._make_linear(config, index)
        self.norm = make_norm(config.norm, config.width)
        self.neuron = self._make_neuron(config)
        self.dropout = nn.Dropout1d(config.dropout)

    @staticmethod
    def _make_linear(config: DelRecConfig, index: int) -> nn.Module | None:
        if not index and config.encodes:
            return None  # it has them
        inputs = config.width if index else config.in_features
        if config.feedforward == "none":
            return nn.Linear(inputs, config.width, bias=config.encoder_bias)
        return DelayedLinear(
            inputs,
            config.width,
            longest=config.feedforward_longest,
            bias=config.encoder_bias,
            window=config.feedforward_window,
            sigma=config.feedforward_width,
        )

    @staticmethod
    def _make_neuron(config: DelRecConfig) -> RecurrentLIF | LIF:
        rule = {"tau": config.tau, "reset": config.reset, "surrogate": config.surrogate}
        if config.recurrent == "none":
            return LIF(config.width, **rule, train_threshold=False)  # type: ignore[arg-type]
        return RecurrentLIF(
            config.width,
            **rule,  # type: ignore[arg-type]
            longest=config.recurrent_longest,
            start=config.recurrent_start,
            scale=config.recurrent_scale,
            offset=config.recurrent_offset,
            sigma=config.recurrent_width,
            learned_spread=config.recurrent_spread,
            gain=config.recurrent_gain,
            dropout=config.recurrent_dropout,
        )

    def forward(self, r: Tensor) -> tuple[Tensor, Tensor]:
        """Return what is sent and the spikes in it, both (H, B, L)."""
        if isinstance(self.linear, nn.Linear):
            r = mix(self.linear, r)
        elif self.linear is not None:
            r = self.linear(r)
        s = self.neuron(normalize(self.norm, r))
        sent: Tensor = self.dropout(s)
        return sent, s

    def behind_encoder(self, r: Tensor) -> Tensor:
        """Return the norm of r, which folds into the encoder, where there is one."""
        return r if self.linear is not None else normalize(self.norm, r)

    def carry(self, r: Tensor, state: States) -> tuple[Tensor, Tensor, States]:
        """Return what `forward` does for the next piece of a sequence, and the state behind it."""
        before, after = self._split(state)
        if isinstance(self.linear, DelayedLinear):
            r, *after = self.linear.carry(r, *after)
        elif isinstance(self.linear, nn.Linear):
            r = mix(self.linear, r)
        s, then = self.neuron.carry(normalize(self.norm, r), before)  # type: ignore[arg-type]
        return s, s, (*then, *after)

    def initial_state(self, batch: int) -> States:
        """Return the states of the neurons, then what waits in delayed synapses."""
        states = self.neuron.initial_state(batch)
        if isinstance(self.linear, DelayedLinear):
            return (*states, self.linear.initial_state(batch))
        return states

    def step(self, r: Tensor, state: States) -> tuple[Tensor, States]:
        """Return what is sent (B, H) and the state after one time step."""
        before, after = self._split(state)
        if isinstance(self.linear, DelayedLinear):
            r, *after = self.linear.step(r, *after)
        elif self.linear is not None:
            r = self.linear(r)
        s, then = self.neuron.step(self.norm(r), before)  # type: ignore[arg-type]
        return s, (*then, *after)

    def _split(self, state: States) -> tuple[States, list[Tensor]]:
        """Return the states of the neurons, and what waits in delayed synapses."""
        own = 2 if isinstance(self.neuron, RecurrentLIF) else 3
        return state[:own], list(state[own:])


FAMILY = Family(DelRecConfig, DelRecBlock)
