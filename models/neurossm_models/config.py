"""What describes a network: plain values, no framework."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from typing import ClassVar

from neurossm.errors import InputError, nearest
from neurossm_models.arguments import check_fields

INITS = ("lin", "inv", "legs")
DISCRETIZATIONS = ("zoh", "bilinear")
MIXINGS = ("glu", "linear")
NORMS = ("batch", "layer", "none")
MEAN, LAST, MAX, SUM, LEAKY = "mean", "last", "max", "sum", "leaky"
EVERY_STEP, PAIR = "every-step", "pair"
READOUTS = (MEAN, LAST, MAX, SUM, LEAKY, EVERY_STEP, PAIR)
OLD_READOUTS = {"sequence": EVERY_STEP}  # what older recipes call it
NEURON_FORMS = ("auto", "native", "loop", "boundary", "sdn")
SURROGATES = ("arctan", "triangle", "fast_sigmoid")
MOST_STATES = 1024  # initial poles may need the eigenvalues of a matrix of that size
MOST_PARAMETERS = 2**31


@dataclass(frozen=True)
class NetworkConfig:
    """Shape and initialization of a network; what the model families have in common.

    Parameters
    ----------
    family
        Which block: ``"binary-s4d"``, ``"gsu"``, ``"spikingssm"`` or ``"spike-ssm"``.
    in_features
        Values of one time step of the input.
    vocabulary
        Number of tokens, if the input is tokens and is embedded; 0: real values.
    classes
        Outputs of the decoder.
    width
        Features H of every layer.
    state
        Real states N of a feature; ``N // 2`` complex modes are kept. Even.
    layers
        Number of blocks.
    init
        Initial poles: ``"lin"``, ``"inv"`` or ``"legs"``.
    discretization
        ``"zoh"`` or ``"bilinear"``.
    dt_min, dt_max
        Range of the initial time steps, log-uniform, where one input step lasts 1.
    train_b
        Whether the input weights B of the state space layers are trained.
    bidirectional
        A second kernel runs backward in time. Not causal: it can be trained, not deployed.
    norm
        ``"batch"``, ``"layer"`` or ``"none"``; only the first can be deployed.
    prenorm
        Normalize the input of a block; otherwise the residual stream after it.
    dropout
        Probability with which a feature is silenced for a whole sequence while training.
    readout
        How an answer is made of what the decoder says over time: ``"mean"``, ``"last"``, ``"max"``,
        ``"sum"``, ``"leaky"``, ``"every-step"`` (an answer at each step; also by its old name
        ``"sequence"``), see `neurossm_models.readouts`; or ``"pair"`` (two sequences side by side,
        one answer).
    readout_leak
        Of the readout ``"leaky"``: the factor by which what was said decays in a step.

    Raises
    ------
    InputError
        If a value is out of its range.
    """

    family: str = ""
    in_features: int = 1
    vocabulary: int = 0
    classes: int = 10
    width: int = 64
    state: int = 32
    layers: int = 2
    init: str = "lin"
    discretization: str = "zoh"
    dt_min: float = 1e-3
    dt_max: float = 1e-1
    train_b: bool = True
    bidirectional: bool = False
    norm: str = "batch"
    prenorm: bool = True
    dropout: float = 0.0
    readout: str = MEAN
    readout_leak: float = 0.9

    NAME: ClassVar[str] = ""

    def __post_init__(self) -> None:
        check_fields("model", self)
        object.__setattr__(self, "family", self.family or self.NAME)
        if self.family != self.NAME:
            raise InputError("model family", expected=repr(self.NAME), got=repr(self.family))
        for name in ("in_features", "classes", "width", "layers"):
            value = getattr(self, name)
            if value < 1:
                raise InputError(f"model {name}", expected="at least 1", got=str(value))
        if self.vocabulary < 0:
            raise InputError("model vocabulary", expected="at least 0", got=str(self.vocabulary))
        if not 2 <= self.state <= MOST_STATES or self.state % 2:
            expected = f"an even number, 2 to {MOST_STATES}"
            raise InputError("model state", expected=expected, got=str(self.state))
        if self.least_parameters > MOST_PARAMETERS:
            expected = f"a network of at most {MOST_PARAMETERS} parameters"
            raise InputError("model width, layers", expected=expected, got="a larger one")
        if not 0 < self.dt_min <= self.dt_max:
            got = f"{self.dt_min} and {self.dt_max}"
            raise InputError("model dt_min, dt_max", expected="0 < dt_min <= dt_max", got=got)
        if not 0 <= self.dropout < 1:
            raise InputError("model dropout", expected="0 <= p < 1", got=str(self.dropout))
        check_choice("model init", self.init, INITS)
        check_choice("model discretization", self.discretization, DISCRETIZATIONS)
        check_choice("model norm", self.norm, NORMS)
        object.__setattr__(self, "readout", OLD_READOUTS.get(self.readout, self.readout))
        check_choice("model readout", self.readout, READOUTS)
        check_leak("model readout_leak", self.readout_leak)

    @property
    def least_parameters(self) -> int:
        """Numbers that every network of this shape has at least: encoder, mixing, C, decoder."""
        inputs = self.vocabulary or self.in_features
        return self.width * (self.layers * (self.width + self.state) + inputs + self.classes)


@dataclass(frozen=True)
class BinaryS4DConfig(NetworkConfig):
    """A Binary S4D network; see `neurossm_models.binary_s4d`.

    Parameters
    ----------
    mixing
        ``"glu"``: ``(W1 s + b1) * sigmoid(W2 s + b2)``, as published; ``"linear"``: ``W s + b``.
    threshold
        Initial value of every spike threshold, in standard deviations of the normalized v.
    surrogate
        Derivative of the spike backward: ``"arctan"``, ``"triangle"`` or ``"fast_sigmoid"``.
    """

    mixing: str = "glu"
    threshold: float = 1.0
    surrogate: str = "arctan"

    NAME: ClassVar[str] = "binary-s4d"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("model mixing", self.mixing, MIXINGS)
        check_choice("model surrogate", self.surrogate, SURROGATES)


@dataclass(frozen=True)
class GSUConfig(NetworkConfig):
    """A network of Gated Spiking Units; see `neurossm_models.gsu`.

    Parameters
    ----------
    threshold
        Of the activations: ``"constant"`` (trained, one a feature) or ``"maximum"`` (the published
        fraction of the largest magnitude at each step; not deployable).
    fraction
        Of the weights' largest magnitude, and of the activations': the ternary threshold.
    delta
        Initial value of the constant thresholds, in standard deviations of the normalized y.
    """

    threshold: str = "constant"
    fraction: float = 0.15
    delta: float = 0.5

    NAME: ClassVar[str] = "gsu"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("model threshold", self.threshold, ("constant", "maximum"))
        if not 0 < self.fraction < 1:
            raise InputError("model fraction", expected="0 < f < 1", got=str(self.fraction))
        if not self.delta > 0:
            raise InputError("model delta", expected="more than 0", got=str(self.delta))


@dataclass(frozen=True)
class SpikingSSMConfig(NetworkConfig):
    """A SpikingSSM network; see `neurossm_models.spikingssm`.

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
    surrogate
        As of `BinaryS4DConfig`.
    """

    mixing: str = "glu"
    tau: float = 0.125
    threshold: float = 1.0
    train_threshold: bool = True
    surrogate: str = "triangle"

    NAME: ClassVar[str] = "spikingssm"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("model mixing", self.mixing, MIXINGS)
        check_choice("model surrogate", self.surrogate, SURROGATES)
        check_leak("model tau", self.tau)
        if not self.threshold > 0:
            raise InputError("model threshold", expected="more than 0", got=str(self.threshold))


@dataclass(frozen=True)
class SPikESSMConfig(SpikingSSMConfig):
    """A SPikE-SSM network; see `neurossm_models.spike_ssm`.

    Parameters
    ----------
    rho
        Factor by which the refractory trace decays in a step. Not trained.
    kappa
        Initial jump of the refractory trace at a spike, in units of the threshold. Trained.
    """

    tau: float = 0.25
    surrogate: str = "arctan"
    rho: float = 0.5
    kappa: float = 0.25

    NAME: ClassVar[str] = "spike-ssm"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_leak("model rho", self.rho)
        if not self.kappa > 0:
            raise InputError("model kappa", expected="more than 0", got=str(self.kappa))


FAMILIES: dict[str, type[NetworkConfig]] = {
    kind.NAME: kind for kind in (BinaryS4DConfig, GSUConfig, SpikingSSMConfig, SPikESSMConfig)
}


def check_leak(where: str, value: float) -> None:
    """Raise `InputError` unless 0 <= value < 1."""
    if not isinstance(value, Real) or not 0 <= value < 1:
        raise InputError(where, expected="0 <= factor < 1", got=str(value))


def check_choice(where: str, value: str, choices: Sequence[str]) -> None:
    """Raise `InputError` unless `value` is one of `choices`; name the nearest one."""
    if value not in choices:
        expected = "one of " + ", ".join(choices)
        raise InputError(where, expected=expected, got=repr(value), remedy=nearest(value, choices))


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
