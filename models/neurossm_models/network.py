"""A classifier of sequences: encoder, blocks of one family on a residual stream, readout.

Shape letters: ``B`` batch, ``L`` time steps, ``F`` input features, ``H`` features (width), ``M``
complex modes a feature, ``C`` classes. The public input is (B, L, F), or tokens (B, L); inside,
features come first and time last, (H, B, L).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from neurossm.arguments import whole
from neurossm.errors import InputError
from neurossm_models.adaptive import AdaptiveEmbedding, AdaptiveSoftmax
from neurossm_models.arguments import check_choice
from neurossm_models.block import Block, Restraint, States
from neurossm_models.complex_states import ComplexStates
from neurossm_models.config import EVERY_STEP, PAIR, NetworkConfig, check_neuron_form
from neurossm_models.diagonal import FORMS, DiagonalLayer
from neurossm_models.families import FAMILIES
from neurossm_models.inputs import check_lengths, check_shape, check_tokens
from neurossm_models.layers import check_precision, check_tensor, mix
from neurossm_models.likelihoods import Likelihoods, likelihoods
from neurossm_models.neurons import LIF, SpikingNeuron
from neurossm_models.readouts import answer, at_each_step, before_first, carry
from neurossm_models.readouts import mean as _mean
from neurossm_models.recording import Recording, State

TOKENS = (nn.Embedding, AdaptiveEmbedding)


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
        if config.cutoffs and not config.vocabulary:
            raise InputError("model cutoffs", expected="none for values, which are no tokens",
                             got=str(list(config.cutoffs)))  # fmt: skip
        if config.cutoffs:
            self.encoder: nn.Module = AdaptiveEmbedding(config)
        elif config.vocabulary:
            self.encoder = nn.Embedding(config.vocabulary, config.encoded)
        elif config.encodes:
            self.encoder = nn.Linear(config.in_features, config.encoded, bias=config.encoder_bias)
        else:
            self.encoder = nn.Identity()
        block = FAMILIES[config.family].block
        block.start(self.encoder)
        self.blocks = nn.ModuleList(block.stack(config))
        self.compare: nn.Module | None = None
        if config.readout == PAIR:
            self.compare = nn.Sequential(nn.Linear(4 * config.width, config.width), nn.ReLU())
        self.decoder: nn.Module
        if config.cutoffs:
            self.decoder = AdaptiveSoftmax(config)
        else:
            self.decoder = nn.Linear(config.width, config.classes)

    def use(self, *, ssm: str = "auto", neuron: str = "auto") -> Network:
        """Choose how sequences are computed, see `DiagonalLayer.form`, `LIF.form`; return itself.

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
            if isinstance(module, ComplexStates | DiagonalLayer):
                module.form = ssm
            elif isinstance(module, SpikingNeuron):
                module.form = neuron
        return self

    def forward(
        self, x: Tensor, lengths: Tensor | None = None, labels: Tensor | None = None
    ) -> Tensor | Likelihoods:
        """Return the logits; of an adaptive softmax the log-likelihoods.

        Parameters
        ----------
        x
            Shape (B, L, F), or tokens (B, L). With the readout ``"pair"``, sequences 2 i and
            2 i + 1 belong together.
        lengths
            Steps of each sequence that count, shape (B,); None: all. The rest is padding at the
            end, which no readout of a sequence sees.
        labels
            Of an adaptive softmax: the tokens (B, L) that are asked for, below 0 for none; then
            nothing is computed of the others.

        Returns
        -------
        Tensor or Likelihoods
            Shape (B, C); (B / 2, C) for ``"pair"``, (B, L, C) for ``"every-step"``. With labels
            what is answered to them.

        Raises
        ------
        InputError
            For an input of another shape, without samples or steps, or of another type than the
            parameters; for tokens that the network has no row for; for other lengths.
        """
        r, _, _ = self._stream(x)
        return self._answers(r, lengths, labels)

    def forward_sequence(self, x: Tensor) -> Tensor:
        """Return the readout after every step, as if it were the last: (B, L, F) to (B, L, C)."""
        self._check_single("Network.forward_sequence")
        r, _, _ = self._stream(x)
        config = self.config
        if isinstance(self.decoder, AdaptiveSoftmax):
            return self._logits(r, None)
        decoded = mix(cast(nn.Linear, self.decoder), r)
        each = at_each_step(config.readout, config.readout_leak, decoded)
        return each.permute(1, 2, 0)

    def record(
        self, x: Tensor, lengths: Tensor | None = None, labels: Tensor | None = None
    ) -> Recording:
        """Return the logits together with the spikes of every block; see `forward`."""
        r, spikes, _ = self._stream(x)
        return self._recorded(r, spikes, lengths, labels)

    def record_on(
        self, x: Tensor, states: tuple[States, ...] | None, labels: Tensor | None = None
    ) -> tuple[Recording, tuple[States, ...]]:
        """Return what `record` does for the next piece of streams, and the states behind it.

        Within rounding pieces give what one long sequence gives.

        Parameters
        ----------
        x, labels
            As of `forward`; without padding.
        states
            Of the blocks, from the piece before; None: the first one.

        Raises
        ------
        InputError
            In training mode; for a bidirectional network, or one that does not answer at each step.
        """
        where = "Network.record_on"
        self._check_goes_on(where)
        if self.config.readout != EVERY_STEP:
            got = repr(self.config.readout)
            raise InputError(where, expected=f"the readout {EVERY_STEP!r}", got=got)
        if states is None:
            states = tuple(block.initial_state(len(x)) for block in self._blocks())
        r, spikes, states = self._stream(x, states)
        return self._recorded(r, spikes, None, labels), states

    def restraints(self) -> list[Restraint]:
        """Return the restraints of all blocks, see `Block.restraints`."""
        return [restraint for block in self._blocks() for restraint in block.restraints()]

    def initial_state(self, batch: int) -> State:
        """Return the state before the first step, for `batch` sequences side by side."""
        whole("Network.initial_state batch", batch, 1)
        states = tuple(block.initial_state(batch) for block in self._blocks())
        like = self._weight().new_empty(batch, self.config.classes)
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
        self._check_goes_on("Network.step")
        if not isinstance(self.encoder, TOKENS):
            features = self.config.in_features
            check_shape(x.ndim == 2 and x.shape[1] == features, f"(batch, {features})", x)
            check_precision("network input", x, self._weight())
        else:
            check_shape(x.ndim == 1, "(batch,) of tokens", x)
            check_tokens(x, self.encoder.num_embeddings)
        r = self.encoder(x)
        states = []
        for block, before in zip(self._blocks(), state.blocks, strict=True):
            r, after = block.step(r, before)
            states.append(after)
        config, steps = self.config, state.steps + 1
        x = self._decoded(r)
        answered, total = carry(config.readout, config.readout_leak, state.total, x, steps)
        return answered, State(tuple(states), total, steps)

    def _stream(
        self, x: Tensor, states: tuple[States, ...] | None = None
    ) -> tuple[Tensor, list[Tensor], tuple[States, ...]]:
        """Return the stream after the last block, the spikes of each, (H, B, L), and the states.

        States only if those before are given.
        """
        check_tensor("network input", x)
        r = self._encoded(x)
        spikes, after = [], []
        for index, block in enumerate(self._blocks()):
            if states is None:
                r, s = block(r)
            else:
                r, s, state = block.carry(r, states[index])
                after.append(state)
            spikes.append(s)
        return r, spikes, tuple(after)

    def _encoded(self, x: Tensor) -> Tensor:
        if isinstance(self.encoder, TOKENS):
            check_shape(x.ndim == 2 and x.numel() > 0, "(batch, steps) of tokens", x)
            check_tokens(x, self.encoder.num_embeddings)
            embedded: Tensor = self.encoder(x)
            return embedded.permute(2, 0, 1).contiguous()
        features = self.config.in_features
        right = x.ndim == 3 and x.shape[-1] == features and x.numel() > 0
        check_shape(right, f"(batch, steps, {features}), none of them 0", x)
        check_precision("network input", x, self._weight())
        first = x.permute(2, 0, 1)
        return mix(self.encoder, first) if isinstance(self.encoder, nn.Linear) else first

    def _answers(
        self, r: Tensor, lengths: Tensor | None, labels: Tensor | None
    ) -> Tensor | Likelihoods:
        """Return what `forward` does of the residual stream (H, B, L)."""
        if labels is None:
            return self._logits(r, lengths)
        if not isinstance(self.decoder, AdaptiveSoftmax):
            remedy = "leave labels out, or say model.cutoffs"
            raise InputError("network labels", expected="an adaptive softmax", remedy=remedy)
        assert isinstance(self.encoder, AdaptiveEmbedding)
        if lengths is not None:
            check_lengths(lengths, r)
        return likelihoods(self.decoder, self.encoder, r.permute(1, 2, 0), labels, lengths)

    def _recorded(
        self, r: Tensor, spikes: list[Tensor], lengths: Tensor | None, labels: Tensor | None
    ) -> Recording:
        logits = self._answers(r, lengths, labels)
        rates = tuple(float(_mean(s.detach().abs(), lengths).mean()) for s in spikes)
        return Recording(logits, tuple(s.transpose(0, 1).to(torch.int8) for s in spikes), rates)

    def _decoded(self, r: Tensor) -> Tensor:
        """Return logits or log-likelihoods, (..., H) to (..., C)."""
        more = (self.encoder,) if isinstance(self.decoder, AdaptiveSoftmax) else ()
        decoded: Tensor = self.decoder(r, *more)
        return decoded

    def _weight(self) -> Tensor:
        """Return a parameter of the decoder, for its type and place."""
        return next(self.decoder.parameters())

    def _logits(self, r: Tensor, lengths: Tensor | None) -> Tensor:
        """Return the readout of the residual stream (H, B, L)."""
        if lengths is not None:
            check_lengths(lengths, r)
        if isinstance(self.decoder, AdaptiveSoftmax):
            return self._decoded(r.permute(1, 2, 0))
        if self.compare is None:
            config, decoder = self.config, cast(nn.Linear, self.decoder)
            return answer(config.readout, config.readout_leak, r, lengths, decoder)
        means = _mean(r, lengths)
        one, two = means[0::2], means[1::2]
        compared = self.compare(torch.cat([one, two, one * two, one - two], 1))
        logits: Tensor = self.decoder(compared)
        return logits

    def _check_goes_on(self, where: str) -> None:
        """Raise `InputError` where nothing can go on from a state."""
        if self.training:
            raise InputError(where, got="training mode", remedy="call eval() first")
        if not self.config.causal:
            raise InputError(where, expected="a causal network", got="a bidirectional one")

    def _check_single(self, where: str) -> None:
        if self.config.readout == PAIR:
            got = 'the readout "pair"'
            raise InputError(where, expected="a network of single sequences", got=got)

    def _blocks(self) -> list[Block]:
        return cast(list[Block], list(self.blocks))  # also compiled ones
