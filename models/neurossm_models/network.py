"""A classifier of sequences: encoder, blocks of one family on a residual stream, readout.

Shape letters: ``B`` batch, ``L`` time steps, ``F`` input features, ``H`` features (width), ``M``
complex modes a feature, ``C`` classes. The public input is (B, L, F), or tokens (B, L); inside,
features come first and time last, (H, B, L).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from neurossm.arguments import whole
from neurossm.errors import InputError
from neurossm_models.arguments import check_choice
from neurossm_models.block import Block, Restraint, States
from neurossm_models.config import PAIR, NetworkConfig, check_neuron_form
from neurossm_models.families import FAMILIES
from neurossm_models.inputs import check_lengths, check_shape, check_tokens
from neurossm_models.layers import check_precision, check_tensor, mix
from neurossm_models.neurons import LIF
from neurossm_models.readouts import answer, at_each_step, before_first, carry
from neurossm_models.readouts import mean as _mean
from neurossm_models.s4d import FORMS, S4D


@dataclass(frozen=True, eq=False)
class Recording:
    """What `Network.record` saw.

    Attributes
    ----------
    logits
        Shape (B, C).
    spikes
        One tensor (B, H, L) for each block, of 0 and 1 (of -1, 0 and 1 where they are ternary).
    rates
        Spikes per neuron and time step, for each block.
    """

    logits: Tensor
    spikes: tuple[Tensor, ...]
    rates: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class State:
    """What `Network.step` carries from one time step to the next.

    Attributes
    ----------
    blocks
        The state of each block: modes, complex, (B, H, M), then what its neuron keeps, (B, H), and
        the spikes that its delays hold, (B, steps, H).
    total
        What the readout carries, shape (B, C): of a mean, the sum of the decoder's outputs so far.
    steps
        Time steps seen.
    """

    blocks: tuple[States, ...]
    total: Tensor
    steps: int


class Network(nn.Module):
    """A classifier of sequences, of the family that its configuration names.

    ``r = encoder(x)``, the blocks, and a readout of ``decoder(r_t)``, such as its mean over time
    (`neurossm_models.readouts`). Unless it is bidirectional every part is causal: the readout
    after t steps is the answer to the first t steps.

    Parameters
    ----------
    config
        Family, shape and initialization.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        kinds = [family.config for family in FAMILIES.values()]
        if not isinstance(config, tuple(kinds)):
            expected = "one of " + ", ".join(kind.__name__ for kind in kinds)
            raise InputError("Network config", expected=expected, got=type(config).__name__)
        self.config = config
        if config.vocabulary:
            self.encoder: nn.Module = nn.Embedding(config.vocabulary, config.width)
        else:
            self.encoder = nn.Linear(config.in_features, config.width)
        block = FAMILIES[config.family].block
        self.blocks = nn.ModuleList(block(config) for _ in range(config.layers))
        self.compare: nn.Module | None = None
        if config.readout == PAIR:
            self.compare = nn.Sequential(nn.Linear(4 * config.width, config.width), nn.ReLU())
        self.decoder = nn.Linear(config.width, config.classes)

    def use(self, *, ssm: str = "auto", neuron: str = "auto") -> Network:
        """Choose how sequences are computed; see `S4D.form` and `LIF.form`. Returns itself.

        Raises
        ------
        InputError
            If there is no such form, or it does not apply to the neurons of this family.
        """
        check_choice("form of the state space layers", ssm, FORMS)
        name = check_neuron_form("form of the neurons", neuron)
        if name in ("boundary", "sdn") and not any(isinstance(m, LIF) for m in self.modules()):
            got = f"family {self.config.family!r}"
            expected = "a family whose neurons have a membrane"
            raise InputError(f"form {name!r}", expected=expected, got=got, remedy="use 'auto'")
        for module in self.modules():
            if isinstance(module, S4D):
                module.form = ssm
            elif isinstance(module, LIF):
                module.form = neuron
        return self

    def forward(self, x: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return the logits.

        Parameters
        ----------
        x
            Shape (B, L, F), or tokens (B, L). With the readout ``"pair"``, sequences 2 i and
            2 i + 1 belong together.
        lengths
            Steps of each sequence that count, shape (B,); None: all. The rest is padding at the
            end, which no readout of a sequence sees.

        Returns
        -------
        Tensor
            Shape (B, C); (B / 2, C) for ``"pair"``, (B, L, C) for ``"every-step"``.

        Raises
        ------
        InputError
            For an input of another shape, without samples or steps, or of another type than the
            parameters; for tokens that the network has no row for; for other lengths.
        """
        r, _ = self._stream(x)
        return self._logits(r, lengths)

    def forward_sequence(self, x: Tensor) -> Tensor:
        """Return the readout after every step, as if it were the last: (B, L, F) to (B, L, C)."""
        self._check_single("Network.forward_sequence")
        r, _ = self._stream(x)
        config = self.config
        each = at_each_step(config.readout, config.readout_leak, mix(self.decoder, r))
        return each.permute(1, 2, 0)

    def record(self, x: Tensor, lengths: Tensor | None = None) -> Recording:
        """Return the logits together with the spikes of every block; see `forward`."""
        r, spikes = self._stream(x)
        logits = self._logits(r, lengths)
        rates = tuple(float(_mean(s.detach().abs(), lengths).mean()) for s in spikes)
        return Recording(logits, tuple(s.transpose(0, 1).to(torch.int8) for s in spikes), rates)

    def restraints(self) -> list[Restraint]:
        """Return the restraints of all blocks, see `Block.restraints`."""
        return [restraint for block in self._blocks() for restraint in block.restraints()]

    def initial_state(self, batch: int) -> State:
        """Return the state before the first step, for `batch` sequences side by side."""
        whole("Network.initial_state batch", batch, 1)
        states = tuple(block.initial_state(batch) for block in self._blocks())
        like = self.decoder.weight.new_empty(batch, self.config.classes)
        return State(states, before_first(self.config.readout, like), 0)

    def step(self, x: Tensor, state: State) -> tuple[Tensor, State]:
        """Return the readout after one more time step, and the state to carry on.

        Parameters
        ----------
        x
            One time step of the input, shape (B, F), or tokens (B,).
        state
            From `initial_state` or from the step before.

        Returns
        -------
        tuple of Tensor and State
            The running answer (B, C), equal to `forward_sequence` at this step within rounding.

        Raises
        ------
        InputError
            In training mode, where normalization needs whole batches; for a bidirectional network,
            or one that compares pairs.
        """
        self._check_single("Network.step")
        if self.training:
            raise InputError("Network.step", got="training mode", remedy="call eval() first")
        if self.config.bidirectional:
            raise InputError("Network.step", expected="a causal network", got="a bidirectional one")
        if not isinstance(self.encoder, nn.Embedding):
            features = self.config.in_features
            check_shape(x.ndim == 2 and x.shape[1] == features, f"(batch, {features})", x)
            check_precision("network input", x, self.decoder.weight)
        else:
            check_shape(x.ndim == 1, "(batch,) of tokens", x)
            check_tokens(x, self.encoder.num_embeddings)
        r = self.encoder(x)
        states = []
        for block, before in zip(self._blocks(), state.blocks, strict=True):
            r, after = block.step(r, before)
            states.append(after)
        config, steps = self.config, state.steps + 1
        x = self.decoder(r)
        answered, total = carry(config.readout, config.readout_leak, state.total, x, steps)
        return answered, State(tuple(states), total, steps)

    def _stream(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Return the residual stream after the last block and the spikes of each, (H, B, L)."""
        check_tensor("network input", x)
        r = self._encoded(x)
        spikes = []
        for block in self._blocks():
            r, s = block(r)
            spikes.append(s)
        return r, spikes

    def _encoded(self, x: Tensor) -> Tensor:
        if isinstance(self.encoder, nn.Embedding):
            check_shape(x.ndim == 2 and x.numel() > 0, "(batch, steps) of tokens", x)
            check_tokens(x, self.encoder.num_embeddings)
            embedded: Tensor = self.encoder(x)
            return embedded.permute(2, 0, 1).contiguous()
        assert isinstance(self.encoder, nn.Linear)
        features = self.config.in_features
        right = x.ndim == 3 and x.shape[-1] == features and x.numel() > 0
        check_shape(right, f"(batch, steps, {features}), none of them 0", x)
        check_precision("network input", x, self.encoder.weight)
        return mix(self.encoder, x.permute(2, 0, 1))

    def _logits(self, r: Tensor, lengths: Tensor | None) -> Tensor:
        """Return the readout of the residual stream (H, B, L)."""
        if lengths is not None:
            check_lengths(lengths, r)
        if self.compare is None:
            config = self.config
            return answer(config.readout, config.readout_leak, r, lengths, self.decoder)
        means = _mean(r, lengths)
        one, two = means[0::2], means[1::2]
        compared = self.compare(torch.cat([one, two, one * two, one - two], 1))
        logits: Tensor = self.decoder(compared)
        return logits

    def _check_single(self, where: str) -> None:
        if self.config.readout == PAIR:
            got = 'the readout "pair"'
            raise InputError(where, expected="a network of single sequences", got=got)

    def _blocks(self) -> list[Block]:
        return cast(list[Block], list(self.blocks))  # also compiled ones
