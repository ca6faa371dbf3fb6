"""What a chip file says, as frozen values. A field that is None was not published.

The fields are the schema: a file may have these keys, with the units annotated, and no others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, ClassVar

from pydantic import BeforeValidator, ConfigDict

from neurossm.errors import InputError, TargetError
from neurossm.hardware.quantity import Grade, Measured, Quantity, in_unit
from neurossm.validation import Text


def _listed(sets: object) -> object:
    return sets if isinstance(sets, list | tuple) else (sets,)


_CLOSED = ConfigDict(extra="forbid")
Maybe = Measured | None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What fits; a word is the compiler's unit of a core's memory."""

    cores: Annotated[Maybe, in_unit("core")] = None
    embedded_cores: Annotated[Maybe, in_unit("core")] = None
    neuron_words_per_core: Annotated[Maybe, in_unit("word")] = None
    neuron_words_plain: Annotated[Maybe, in_unit("word")] = None
    neuron_words_real_state: Annotated[Maybe, in_unit("word")] = None
    neuron_words_complex_state: Annotated[Maybe, in_unit("word")] = None
    neuron_groups_per_core: Annotated[Maybe, in_unit("group")] = None
    synapse_words_per_core: Annotated[Maybe, in_unit("word")] = None
    words_per_core: Annotated[Maybe, in_unit("word")] = None
    words_per_neuron: Annotated[Maybe, in_unit("word")] = None
    axon_in_words: Annotated[Maybe, in_unit("word")] = None
    axon_map_words: Annotated[Maybe, in_unit("word")] = None
    synapses_per_word: Annotated[Maybe, in_unit("synapse")] = None
    sparse_synapses_per_word: Annotated[Maybe, in_unit("synapse")] = None
    shared_weights_per_word: Annotated[Maybe, in_unit("weight")] = None
    shared_axon_in_words: Annotated[Maybe, in_unit("word")] = None
    fan_out_synapses_per_word: Annotated[Maybe, in_unit("synapse")] = None
    lone_synapse_words: Annotated[Maybe, in_unit("word")] = None
    synapses_per_core: Annotated[Maybe, in_unit("synapse")] = None
    weight_bits: Annotated[Maybe, in_unit("bit")] = None
    state_bits: Annotated[Maybe, in_unit("bit")] = None
    message_bits: Annotated[Maybe, in_unit("bit")] = None
    delay_max: Annotated[Maybe, in_unit("step")] = None
    mesh_columns: Annotated[Maybe, in_unit("router")] = None
    mesh_rows: Annotated[Maybe, in_unit("router")] = None
    cores_per_router: Annotated[Maybe, in_unit("core")] = None
    system_chips: Annotated[Maybe, in_unit("chip")] = None


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How long an event takes, in seconds; of one core unless named otherwise."""

    syn_op: Annotated[Maybe, in_unit("s")] = None
    neuron_pass: Annotated[Maybe, in_unit("s")] = None
    min_step: Annotated[Maybe, in_unit("s")] = None
    measured_step: Annotated[Maybe, in_unit("s")] = None
    barrier_multi_chip: Annotated[Maybe, in_unit("s")] = None
    chip_link_message: Annotated[Maybe, in_unit("s")] = None


@dataclass(frozen=True, kw_only=True)
class Power:
    """Power that flows without work, in watts."""

    static_chip: Annotated[Maybe, in_unit("W")] = None


@dataclass(frozen=True, kw_only=True)
class Events:
    """Energy of one event, in joules. An event that a set does not charge by itself is None.

    Attributes
    ----------
    syn_op
        One synaptic operation.
    neuron_update
        One pass of a neuron's program; low may be an inactive neuron, high an active one.
    spike_out
        A neuron that fires, once, whoever receives it.
    axon_out, within_tile
        An activation to one receiver: sending it, and carrying it inside a tile.
    hop_east_west, hop_north_south
        One step of an activation from router to router.
    """

    syn_op: Annotated[Maybe, in_unit("J")] = None
    neuron_update: Annotated[Maybe, in_unit("J")] = None
    spike_out: Annotated[Maybe, in_unit("J")] = None
    axon_out: Annotated[Maybe, in_unit("J")] = None
    within_tile: Annotated[Maybe, in_unit("J")] = None
    hop_east_west: Annotated[Maybe, in_unit("J")] = None
    hop_north_south: Annotated[Maybe, in_unit("J")] = None


@dataclass(frozen=True, kw_only=True)
class EnergySet:
    """One published set of energies.

    Attributes
    ----------
    name, title, citation
        Key in the file, name for people, where it was published.
    kind
        How it was obtained: ``pre-silicon SPICE``, ``fitted on board``, ``derived bound``.
    process
        Technology that the numbers are of.
    grade
        Grade of evidence of the set as a whole.
    events
        The energies; more than one entry where the source leaves open how to split a total, and
        then each entry is a scenario of its own.
    """

    name: Text
    title: Text
    citation: Text
    kind: Text
    process: Text
    grade: Grade
    events: Annotated[tuple[Events, ...], BeforeValidator(_listed)]
    note: str = ""

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED

    def __post_init__(self) -> None:
        for scenario in self.events:
            if scenario.syn_op is None or scenario.neuron_update is None:
                raise InputError("set events", problem="each set needs syn_op and neuron_update")


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """Energy of one digital operation, in joules; `sram_access` is 64 bits from 8 KB."""

    int8_add: Annotated[Maybe, in_unit("J")] = None
    int32_add: Annotated[Maybe, in_unit("J")] = None
    int8_multiply: Annotated[Maybe, in_unit("J")] = None
    int16_multiply: Annotated[Maybe, in_unit("J")] = None
    int32_multiply: Annotated[Maybe, in_unit("J")] = None
    float32_add: Annotated[Maybe, in_unit("J")] = None
    float32_multiply: Annotated[Maybe, in_unit("J")] = None
    sram_access: Annotated[Maybe, in_unit("J")] = None


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """What a chip cannot hold.

    Attributes
    ----------
    reason, remedy
        Why not, and what to do instead.
    source, grade
        Where that was found, and its grade of evidence.
    """

    reason: Text
    remedy: Text
    source: Text
    grade: Grade


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """A chip, or a technology, as its data file describes it.

    Attributes
    ----------
    passes
        Node type to the microcode passes that one of its neuron updates takes; ``relay`` is a
        neuron that only passes on.
    refuses
        Node type to why the chip cannot hold it; ``graded spikes`` for activations that are no
        spikes.
    caveats
        Sentences that every report made with this file must print.
    """

    name: Text
    title: Text
    caveats: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    timing: Timing = field(default_factory=Timing)
    power: Power = field(default_factory=Power)
    arithmetic: Arithmetic = field(default_factory=Arithmetic)
    passes: Mapping[str, Annotated[Measured, in_unit("pass")]] = field(default_factory=dict)
    energy: tuple[EnergySet, ...] = ()
    refuses: Mapping[str, Refusal] = field(default_factory=dict)

    __pydantic_config__: ClassVar[ConfigDict] = _CLOSED

    def __post_init__(self) -> None:
        object.__setattr__(self, "passes", MappingProxyType(dict(self.passes)))
        object.__setattr__(self, "refuses", MappingProxyType(dict(self.refuses)))

    def require(self, section: str, key: str) -> Quantity:
        """Return a number that a calculation cannot do without.

        Raises
        ------
        TargetError
            If this chip's file does not hold it.
        """
        found = (
            self.passes.get(key) if section == "passes" else getattr(getattr(self, section), key)
        )
        if not isinstance(found, Quantity):
            raise TargetError(
                f"hardware {self.name!r}",
                expected=f"{section}.{key}",
                got="a file without it",
                remedy="use another chip, or add the number with its source and grade",
            )
        return found
