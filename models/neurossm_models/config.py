"""Configurations of networks, as plain values without a framework."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Annotated, ClassVar, Literal, Self, get_args

from pydantic import BeforeValidator, Field

from neurossm.errors import InputError
from neurossm.validation import Count, Factor, Positive, Whole, settle
from neurossm_models.arguments import check_choice

Init = Literal["lin", "inv", "legs"]
Discretization = Literal["zoh", "bilinear"]
Mixing = Literal["glu", "linear"]
Norm = Literal["batch", "layer", "none"]
MEAN, LAST, MAX, SUM, LEAKY = "mean", "last", "max", "sum", "leaky"
EVERY_STEP, PAIR = "every-step", "pair"
OLD_READOUTS = {"sequence": EVERY_STEP}  # what older recipes call it
Readout = Annotated[
    Literal["mean", "last", "max", "sum", "leaky", "every-step", "pair"],
    BeforeValidator(lambda given: OLD_READOUTS.get(str(given), given)),
]
LISTED = BeforeValidator(lambda given: tuple(given) if isinstance(given, list) else given)
Cutoffs = Annotated[tuple[Count, ...], LISTED]
LONGEST_DELAY = 63  # steps; what synapses of Loihi 2 can wait, as `neurossm.nodes.Delay`
Delays = Annotated[tuple[Annotated[int, Field(strict=True, ge=1, le=LONGEST_DELAY)], ...], LISTED]
NEURON_FORMS = ("auto", "native", "triton", "loop", "fft", "boundary", "sdn")
Surrogate = Literal[
    "arctan", "triangle", "fast_sigmoid", "boxcar", "double_gaussian", "multi_gaussian"
]
INITS, DISCRETIZATIONS, SURROGATES = map(get_args, (Init, Discretization, Surrogate))
MOST_STATES = 1024  # initial poles may need the eigenvalues of a matrix of that size
MOST_PARAMETERS = 2**31


@dataclass(frozen=True)
class NetworkConfig:
    """Shape of a network; what all model families have in common.

    Families of state space layers have `StateSpaceConfig`.

    Parameters
    ----------
    family
        Which block: a name of `neurossm_models.families.FAMILIES`.
    in_features
        Values of one time step of the input.
    vocabulary
        Number of tokens, if the input is tokens and is embedded; 0: real values.
    classes
        Outputs of the decoder.
    width
        Features H of every layer.
    layers
        Number of blocks.
    norm
        ``"batch"``, ``"layer"`` or ``"none"``; only the first can be deployed.
    dropout
        Probability with which a feature is silenced for a whole sequence while training.
    readout
        How an answer is made of what the decoder says over time: ``"mean"``, ``"last"``, ``"max"``,
        ``"sum"``, ``"leaky"``, ``"every-step"`` (an answer at each step; also by its old name
        ``"sequence"``), see `neurossm_models.readouts`; or ``"pair"`` (two sequences side by side,
        one answer).
    readout_leak
        Of the readout ``"leaky"``: the factor by which what was said decays in a step.
    cutoffs
        Of tokens by falling frequency, where a group of rarer ones begins: an adaptive embedding
        and softmax, tied (`neurossm_models.adaptive`). Empty: a table and a linear decoder.
    divisor
        By how much a token of a group has fewer numbers than one of the group before.
    embedding_dropout, softmax_dropout
        Probability with which a number of a token, or of what is held against tokens, is silenced.

    Raises
    ------
    InputError
        If a value is out of its range.
    """

    family: str = ""
    in_features: Count = 1
    vocabulary: Whole = 0
    classes: Count = 10
    width: Count = 64
    layers: Count = 2
    norm: Norm = "batch"
    dropout: Factor = 0.0
    readout: Readout = "mean"
    readout_leak: Factor = 0.9
    cutoffs: Cutoffs = ()
    divisor: Count = 4
    embedding_dropout: Factor = 0.0
    softmax_dropout: Factor = 0.0

    NAME: ClassVar[str] = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "family", self.family or self.NAME)
        settle("model", self)
        if self.family != self.NAME:
            raise InputError("model family", expected=repr(self.NAME), got=repr(self.family))
        _check_cutoffs(self)
        if self.least_parameters > MOST_PARAMETERS:
            expected = f"a network of at most {MOST_PARAMETERS} parameters"
            raise InputError("model width, layers", expected=expected, got="a larger one")

    def deployable(self) -> tuple[Self, tuple[str, ...]]:
        """Return the nearest configuration that can be exported, and what was changed, in words.

        The readout, and where norms stand, are as they are.
        """
        config, said = self, []
        if config.norm == "layer":
            config = replace(config, norm="batch")
            said.append(
                "The recipe's layer norm cannot be deployed (export refuses it): this plan is for"
                " a batch norm in its place, which folds and needs no neuron."
            )
        if config.cutoffs:
            config = replace(config, cutoffs=(), embedding_dropout=0.0, softmax_dropout=0.0)
            said.append(
                "The recipe's adaptive embedding and softmax are whole tables in this plan, as in"
                " an export: a row of the width for each token."
            )
        return config, tuple(said)

    @property
    def causal(self) -> bool:
        """Whether an output depends on what came before alone, so that the network can stream."""
        return True

    @property
    def encoded(self) -> int:
        """Values that the encoder makes of a time step."""
        return self.width

    @property
    def encodes(self) -> bool:
        """Whether there is an encoder; else values go to the first layer as they are."""
        return True

    @property
    def encoder_bias(self) -> bool:
        """Whether the encoder has a bias."""
        return True

    @property
    def states(self) -> int:
        """Real numbers of state of a feature of a layer."""
        return 1

    @property
    def inside(self) -> tuple[int, ...]:
        """Sizes of a layer besides its width, as they are found in its graph."""
        return ()

    def with_modes(self, modes: int) -> Self:
        """Return a configuration with so many complex modes, where their number can be chosen."""
        return self

    @property
    def shape(self) -> str:
        """Layers and their sizes, in words for a model card."""
        return f"{self.layers} layers, width {self.width}"

    @property
    def least_parameters(self) -> int:
        """Numbers that every network of this shape has at least: encoder, layers, decoder."""
        if self.cutoffs and self.vocabulary:
            ends = sum(tokens * size for tokens, size in group_sizes(self))
        else:
            ends = self.encoded * (self.vocabulary or self.in_features) + self.width * self.classes
        return self._least_inside() + ends

    def _least_inside(self) -> int:
        """Return the numbers that the layers have at least: their mixing."""
        return self.layers * self.width**2


@dataclass(frozen=True)
class ResidualConfig(NetworkConfig):
    """A network of diagonal recurrences on a residual stream: what those families have in common.

    Parameters
    ----------
    dt_min, dt_max
        Range of the initial time steps, log-uniform, where one input step lasts 1.
    bidirectional
        A second kernel runs backward in time. Not causal: it can be trained, not deployed.
    prenorm
        Normalize the input of a block; otherwise the residual stream after it.
    """

    dt_min: Positive = 1e-3
    dt_max: Positive = 1e-1
    bidirectional: bool = False
    prenorm: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_steps(self.dt_min, self.dt_max)

    def deployable(self) -> tuple[Self, tuple[str, ...]]:
        """Return the nearest configuration that can be exported, and what was changed, in words.

        The readout, and where norms stand, are as they are.
        """
        config, said = super().deployable()
        if not config.bidirectional:
            return config, said
        now = "The recipe is bidirectional, which cannot stream: this plan is for its causal half."
        return replace(config, bidirectional=False), (*said, now)

    @property
    def causal(self) -> bool:
        """Whether no kernel runs backward in time."""
        return not self.bidirectional


@dataclass(frozen=True)
class StateSpaceConfig(ResidualConfig):
    """A network of S4D layers on a residual stream: what those families have in common.

    Parameters
    ----------
    state
        Real states N of a feature; ``N // 2`` complex modes are kept. Even.
    init
        Initial poles: ``"lin"``, ``"inv"`` or ``"legs"``.
    discretization
        ``"zoh"`` or ``"bilinear"``.
    train_b
        Whether the input weights B of the state space layers are trained.
    """

    state: Annotated[int, Field(ge=2, le=MOST_STATES, multiple_of=2)] = 32
    init: Init = "lin"
    discretization: Discretization = "zoh"
    train_b: bool = True

    @property
    def states(self) -> int:
        """Real states of a feature."""
        return self.state

    @property
    def inside(self) -> tuple[int, ...]:
        """Complex modes of a feature."""
        return (self.states // 2,)

    def with_modes(self, modes: int) -> Self:
        """Return a configuration with so many complex modes (of a set)."""
        return replace(self, state=2 * modes)

    @property
    def shape(self) -> str:
        """Layers and their sizes, in words for a model card."""
        inside = f"{self.state} real states, S4D-{self.init}, {self.discretization}"
        return f"{super().shape}, {inside}"

    def _least_inside(self) -> int:
        """Return the numbers that the layers have at least: mixing and C."""
        return self.layers * self.width * (self.width + self.state)


def group_sizes(config: NetworkConfig) -> list[tuple[int, int]]:
    """Return how many tokens each group of an adaptive embedding has, of how many numbers each."""
    ends = [0, *config.cutoffs, config.vocabulary]
    return [
        (end - start, max(1, config.width // config.divisor**number))
        for number, (start, end) in enumerate(pairwise(ends))
    ]


def check_steps(least: float, most: float) -> None:
    """Raise `InputError` unless the range of initial time steps is one."""
    if not least <= most:
        got = f"{least} and {most}"
        raise InputError("model dt_min, dt_max", expected="dt_min <= dt_max", got=got)


def _check_cutoffs(config: NetworkConfig) -> None:
    """Raise `InputError` unless cut-offs, if there are any, cut the tokens of a language model."""
    if not config.cutoffs:
        for key in ("embedding_dropout", "softmax_dropout"):
            if getattr(config, key):
                raise InputError(f"model {key}", expected="0 without cutoffs",
                                 got=str(getattr(config, key)), remedy="say cutoffs")  # fmt: skip
        return
    shown, end = str(list(config.cutoffs)), config.vocabulary or MOST_PARAMETERS
    if any(a >= b for a, b in pairwise((*config.cutoffs, end))):
        known = f", {config.vocabulary}" if config.vocabulary else ""
        expected = f"rising numbers below the vocabulary{known}"
        raise InputError("model cutoffs", expected=expected, got=shown,
                         remedy="without cutoffs ([]) the decoder is linear")  # fmt: skip
    if not config.vocabulary:  # of data of one's own it is not known yet; a network must have it
        return
    if config.readout != EVERY_STEP:
        expected = f"{EVERY_STEP!r} with cutoffs"
        raise InputError("model readout", expected=expected, got=repr(config.readout))
    if config.classes != config.vocabulary:
        expected = f"{config.vocabulary} with cutoffs: the softmax is tied to the embedding"
        raise InputError("model classes", expected=expected, got=str(config.classes))


def check_neuron_form(where: str, form: str) -> str:
    """Return the name of a form of the neurons: the form itself, or ``"sdn"`` of ``"sdn:FILE"``.

    Raises
    ------
    InputError
        If there is no such form.
    """
    name, colon, file = str(form).partition(":")
    if name == "sdn" and colon and not file:
        raise InputError(where, expected="'sdn' or 'sdn:FILE'", got=repr(form))
    check_choice(where, name if name == "sdn" else form, NEURON_FORMS)
    return name
