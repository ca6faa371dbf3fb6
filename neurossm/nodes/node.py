"""Shared by all nodes: the parts of a node's meaning, frozen parameters, equality by value.

How a node is written
---------------------
One module in this package holds one class, found by itself (`neurossm.nodes.NODE_TYPES`)::

    @node
    class Threshold(Node):
        # its docstring: equation, integer meaning, source, parameters
        theta: Array = parameter("C")               # a field of numbers and its axes
        role: ClassVar[Role] = Role.SPIKING
        @property
        def in_channels(self) -> int: ...
        def step(self, at: Step) -> Integers: ...   # the integers, one time step: the specification
        def evaluate(self, operands, state=None) -> Evaluated: ...   # on real numbers, sequences

``state_parts`` says what a step remembers; traits (`role`, `meets`, `operands`, `compares`,
`reads_tokens`, `late`) say what others may want to know, so that nobody has to ask for the type.
From the roles of the fields (`neurossm.nodes.parameter`) follow `check`, `quantize`, `explain`,
`bound` and `examples`. What a node leaves out, and nothing implies, stops with an error.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, ClassVar, Self, TypeVar, dataclass_transform

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import GraphError
from neurossm.fixed import Fixed, Quantized
from neurossm.nodes.arriving import Arriving, Finding, Quantizing
from neurossm.nodes.dense import DenseOperations
from neurossm.nodes.parameter import Parameter, check_fields, declared, drawn_fields, parameter
from neurossm.nodes.span import FanIn, Found, Span
from neurossm.nodes.step import Carried, Change, Evaluated, Integers, Reals, State, Step
from neurossm.nodes.traits import Described, Meets, Role
from neurossm.nodes.typed import check_spikes, check_types
from neurossm.nodes.values import Array, as_parameter, equal

T = TypeVar("T")


@dataclass_transform(
    eq_default=False,
    frozen_default=True,
    kw_only_default=True,
    field_specifiers=(parameter, field),
)
def node(cls: type[T]) -> type[T]:
    """Make a class of nodes: frozen, by keywords, equal by value."""
    return dataclass(frozen=True, eq=False, kw_only=True)(cls)


@node
class Node(Described, ABC):
    """Base of all nodes; abstract.

    Attributes
    ----------
    out
        Number format of the activations it sends; None in a float graph (except at an `Input`,
        where it is the format of the data, and at nodes that spike).
    role
        What it is in a network.
    meets
        How edges meet that converge on it.
    operands
        How many edges it takes; 0: at least one.
    compares
        True where it compares each channel with numbers of its own and sends the outcome:
        activations may then arrive with an exponent a channel.
    aligns
        True where it shifts each channel to a unit of its own: exponents may differ there, too.
    reads_tokens
        True where its input are tokens, ``tokens`` of them: names and no quantities.
    late
        True where what it sends at a step does not depend on what arrives at that step. Its `step`
        is `send`, then `take`.
    integrates
        True where it adds up what arrives in states whose unit is its own, which quantizing
        chooses (`neurossm.quantization.fit`): what arrives enters by a shift.
    nir
        Why NIR cannot hold it; empty where the converter can.
    sends
        The one format of its activations, at nodes that spike.
    passes_on
        True where it sends what arrives, in the format in which it arrives.
    ranged
        Settings of `Quantize` that limit the width of its activations, whose format is then made
        for their range; empty where other formats decide.
    message_reason
        Why its activations have their format, in words, where neither range nor role decides.
    float_only
        What to do with a node that has a meaning in float graphs only; empty at all others.
    roles
        Name of each parameter to its role; from the fields.
    shapes
        Name of each parameter to its axes; from the fields.
    """

    out: Fixed | None = None

    role: ClassVar[Role] = Role.NEURON
    meets: ClassVar[Meets] = Meets.ADD
    operands: ClassVar[int] = 0
    compares: ClassVar[bool] = False
    aligns: ClassVar[bool] = False
    reads_tokens: ClassVar[bool] = False
    late: ClassVar[bool] = False
    integrates: ClassVar[bool] = False
    nir: ClassVar[str] = ""
    sends: ClassVar[Fixed | None] = None
    passes_on: ClassVar[bool] = False
    ranged: ClassVar[tuple[str, ...]] = ("activation_bits",)
    message_reason: ClassVar[str] = ""
    float_only: ClassVar[str] = ""
    roles: ClassVar[dict[str, Parameter]] = {}
    shapes: ClassVar[dict[str, str]] = {}

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        cls.roles = {**cls.roles, **declared(cls)}
        cls.shapes = {name: role.axes for name, role in cls.roles.items()}

    def __post_init__(self) -> None:
        check_types(self)
        kind = type(self).__name__
        for name in self.roles:
            value = as_parameter(getattr(self, name), f"{kind}.{name}")
            object.__setattr__(self, name, value)
        check_fields(kind, self.roles, {name: getattr(self, name) for name in self.roles})
        if self.sends is not None:
            check_spikes(self, self.sends)

    @property
    @abstractmethod
    def in_channels(self) -> int:
        """Channels that it receives; 0 for an `Input`."""

    @property
    def out_channels(self) -> int:
        """Channels that it sends."""
        return self.in_channels

    def state_parts(self) -> dict[str, tuple[int, ...]]:
        """Return the shape of each part of one sample's state; it starts with zeros."""
        return {}

    def initial_state(self, samples: int) -> State:
        """Return the state before the first step, zeros ``(B, ...)`` a part."""
        parts = self.state_parts().items()
        return {part: np.zeros((samples, *shape), np.int64) for part, shape in parts}

    def before(self, samples: int, state: Carried | None) -> Carried:
        """Return what `evaluate` begins with: a copy of the state, or zeros."""
        if state:
            return {part: array.copy() for part, array in state.items()}
        return {
            part: array.astype(np.float64) for part, array in self.initial_state(samples).items()
        }

    @property
    def tokens(self) -> int:
        """How many tokens a node takes that reads them; else 0."""
        return 0

    @property
    def modes(self) -> int:
        """Complex states of each channel that do not see one another; 0 where there are none."""
        return 0

    @property
    def complex_states(self) -> int:
        """Complex states of all channels."""
        return self.in_channels * self.modes

    @property
    def sparse_fields(self) -> tuple[str, ...]:
        """Names of the parameters of which files keep only the numbers that are not 0."""
        return ()

    @property
    def synapses(self) -> int:
        """Weights that are not 0, where it is synapses with weights; else 0."""
        return 0

    @property
    def only_adds(self) -> bool:
        """True where it multiplies no activation: its integer weights are one power of two."""
        return False

    @property
    def states(self) -> int:
        """Real numbers of state that it carries from step to step."""
        return sum(int(np.prod(shape)) for shape in self.state_parts().values())

    @property
    def state_words(self) -> int:
        """Values of up to 24 bits that hold its state; fewer than `states` where those are bits."""
        return self.states

    @property
    def activates(self) -> bool:
        """True where it is an activation function, which sends 0 where something is not."""
        return self.role is Role.SPIKING

    @property
    def updates(self) -> int:
        """Neuron updates that a time step takes; none where there are only synapses."""
        return self.in_channels

    @property
    def parameters(self) -> int:
        """Real numbers among its parameters (a complex one counts as two)."""
        return sum(int(np.prod(getattr(self, name).shape)) for name in self.roles)

    def fields_of(self, setting: str) -> list[Quantized]:
        """Return the integer parameters whose width is a setting, such as ``weight_bits``."""
        fields = [getattr(self, name) for name, role in self.roles.items() if role.bits == setting]
        return [field for field in fields if isinstance(field, Quantized)]

    @property
    def factors(self) -> tuple[Array, ...]:
        """Parameters that each step of a recurrence multiplies by, once for every product."""
        return ()

    def notices(self, at: Change) -> Reals:
        """Return the size of a change of what arrives, ``(C,)``, that makes one that matters.

        By default it is to the range of what arrives as one that matters to that of its
        activations.
        """
        return at.own * at.arriving / at.sent

    def dense(self, operands: int) -> DenseOperations:
        """Return the operations of a step of a dense network of its shape, with so many edges."""
        raise self._refusal("dense", "dense operations")

    def converging(self, operands: int) -> int:
        """Return how many sums, or products, it takes to make one of so many edges."""
        return (operands - 1) * self.in_channels

    @property
    def is_integer(self) -> bool:
        """True where its parameters and activations are integers with formats."""
        return self.out is not None and all(
            isinstance(getattr(self, name), Quantized) for name in self.roles
        )

    @property
    def has_integers(self) -> bool:
        """True where it has an integer meaning; a `BatchNorm` has none."""
        return self.late or type(self).step is not Node.step or self.role is Role.INPUT

    def step(self, at: Step) -> Integers:
        """Return what it sends at a time step, ``(B, C)``; state and counters change in `at`.

        The specification of the integers: every executor equals it bit for bit.
        """
        if not self.late:
            raise self._refusal("step", "an integer meaning")
        sent = self.send(at.state)
        self.take(at)
        return sent

    def send(self, state: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """Return what a late node sends at a time step, ``(B, C)``, before anything arrives.

        It says so of integers and of real numbers alike.
        """
        raise self._refusal("send", "a way to send before anything arrives")

    def take(self, at: Step) -> None:
        """Put what arrives at a late node into its state, after it has sent."""
        raise self._refusal("take", "a way to take what arrives after it has sent")

    def evaluate(self, operands: list[Reals], state: Carried | None = None) -> Evaluated:
        """Return what it sends on real numbers, for what arrives on each edge ``(S, T, C)``.

        Parameters
        ----------
        operands
            What arrives, a part of the sequences or all of it.
        state
            What it remembers of the steps before, as `state_parts` names it, in real numbers
            ``(S, ...)``; empty at the start. The new arrays are put in their place. None: the
            sequences begin here, and nobody asks how they end.
        """
        raise self._refusal("evaluate", "a float meaning")

    def check(self, at: Arriving) -> Iterator[Finding]:
        """Yield what breaks the integer contract beyond what the roles of the fields ask for."""
        yield from ()

    def quantize(self, to: Quantizing) -> Self:
        """Return the node as integers: each field by its role, a format for what it sends."""
        out = self.out
        if self.passes_on:
            out = to.arriving.formats[0]
        elif self.role is Role.NEURON and self.ranged:
            out = to.message()
        elif out is None:
            raise self._refusal("quantize", "a format for its messages")
        return replace(self, out=out, **{name: to.parameter(name, out) for name in self.roles})

    def finest(self, formats: Sequence[Fixed]) -> int:
        """Return the fraction bits of its exact result; 64 where they are not to be limited."""
        return 64

    @property
    def constant(self) -> float:
        """Largest constant that is added to what it sends: its activations' format must hold it."""
        return 0.0

    @property
    def fed_through(self) -> bool:
        """True where some input reaches the output beside its `modes`."""
        return False

    @property
    def dropped(self) -> int:
        """Units of what it sends that its shifts may drop of the exact result, at most."""
        return 0

    def explain(self) -> Iterator[tuple[str, str, str]]:
        """Yield what, format and reason of choices that are neither parameters nor activations."""
        yield from ()

    def bound(self, at: FanIn) -> Found:
        """Return the worst case of what it sends (else what `out` holds), and of its registers."""
        ones = np.ones(self.out_channels)
        entry = at.entry() if self.meets is Meets.ADD else ()
        if self.passes_on:
            return at.u.with_zero() if self.late else at.u, entry
        if self.role is Role.SPIKING:
            fmt = format_of(self)
            return Span(fmt.low * ones, fmt.high * ones), entry
        sent, registers = at.message(Span(-np.inf * ones, np.inf * ones))
        return sent, (*entry, *registers)

    @classmethod
    def examples(cls, rng: np.random.Generator) -> Iterator[Self]:
        """Yield small float nodes with random parameters, of every kind that exists."""
        yield cls.drawn(rng)

    @classmethod
    def drawn(cls, rng: np.random.Generator, **given: Any) -> Self:
        """Return a float node with random parameters within their ranges, but for those given."""
        given = drawn_fields(cls.roles, rng) | given
        if any(item.name == "channels" for item in fields(cls)):
            given.setdefault("channels", int(rng.integers(1, 5)))
        return cls(**given)

    def _refusal(self, method: str, expected: str) -> GraphError:
        kind = type(self).__name__
        return GraphError(f"node of type {kind}", expected=expected, got="none",
                          remedy=f"write {kind}.{method}")  # fmt: skip

    @property
    def message_frac(self) -> int | NDArray[np.int64]:
        """Fraction bits of what it sends as integers: one number, or ``(C,)`` by channel."""
        return format_of(self).frac

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(
            equal(getattr(self, item.name), getattr(other, item.name)) for item in fields(self)
        )

    __hash__ = None  # type: ignore[assignment]  # holds arrays


def format_of(node: Node) -> Fixed:
    """Return the activation format of a node that has one (an integer node, checked before)."""
    assert node.out is not None
    return node.out


def message_frac(node: Node) -> int | NDArray[np.int64]:
    """Return the fraction bits of what an integer node sends: one number, or by channel."""
    return node.message_frac
