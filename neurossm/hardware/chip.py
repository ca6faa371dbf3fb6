"""What a chip file says, as frozen values. A field that is None was not published.

The fields are the schema: the loader accepts these keys, with the units annotated, and no others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated

from neurossm.errors import TargetError
from neurossm.hardware.quantity import Quantity

Maybe = Quantity | None


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What fits; a word is the compiler's unit of a core's memory."""

    cores: Annotated[Maybe, "core"] = None
    embedded_cores: Annotated[Maybe, "core"] = None
    neuron_words_per_core: Annotated[Maybe, "word"] = None
    neuron_words_plain: Annotated[Maybe, "word"] = None
    neuron_words_real_state: Annotated[Maybe, "word"] = None
    neuron_words_complex_state: Annotated[Maybe, "word"] = None
    neuron_groups_per_core: Annotated[Maybe, "group"] = None
    synapse_words_per_core: Annotated[Maybe, "word"] = None
    words_per_core: Annotated[Maybe, "word"] = None
    words_per_neuron: Annotated[Maybe, "word"] = None
    axon_in_words: Annotated[Maybe, "word"] = None
    axon_map_words: Annotated[Maybe, "word"] = None
    synapses_per_word: Annotated[Maybe, "synapse"] = None
    fan_out_synapses_per_word: Annotated[Maybe, "synapse"] = None
    lone_synapse_words: Annotated[Maybe, "word"] = None
    synapses_per_core: Annotated[Maybe, "synapse"] = None
    weight_bits: Annotated[Maybe, "bit"] = None
    state_bits: Annotated[Maybe, "bit"] = None
    message_bits: Annotated[Maybe, "bit"] = None
    delay_max: Annotated[Maybe, "step"] = None
    mesh_columns: Annotated[Maybe, "router"] = None
    mesh_rows: Annotated[Maybe, "router"] = None
    cores_per_router: Annotated[Maybe, "core"] = None
    system_chips: Annotated[Maybe, "chip"] = None


@dataclass(frozen=True, kw_only=True)
class Timing:
    """How long an event takes, in seconds; of one core unless named otherwise."""

    syn_op: Annotated[Maybe, "s"] = None
    neuron_pass: Annotated[Maybe, "s"] = None
    min_step: Annotated[Maybe, "s"] = None
    measured_step: Annotated[Maybe, "s"] = None
    barrier_multi_chip: Annotated[Maybe, "s"] = None
    chip_link_message: Annotated[Maybe, "s"] = None


@dataclass(frozen=True, kw_only=True)
class Power:
    """Power that flows without work, in watts."""

    static_chip: Annotated[Maybe, "W"] = None


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
        A message to one receiver: sending it, and carrying it inside a tile.
    hop_east_west, hop_north_south
        One step of a message from router to router.
    """

    syn_op: Annotated[Maybe, "J"] = None
    neuron_update: Annotated[Maybe, "J"] = None
    spike_out: Annotated[Maybe, "J"] = None
    axon_out: Annotated[Maybe, "J"] = None
    within_tile: Annotated[Maybe, "J"] = None
    hop_east_west: Annotated[Maybe, "J"] = None
    hop_north_south: Annotated[Maybe, "J"] = None


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
        then each entry is a possible world of its own.
    """

    name: str
    title: str
    citation: str
    kind: str
    process: str
    grade: str
    events: tuple[Events, ...]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Arithmetic:
    """Energy of one digital operation, in joules; `sram_access` is 64 bits from 8 KB."""

    int8_add: Annotated[Maybe, "J"] = None
    int32_add: Annotated[Maybe, "J"] = None
    int8_multiply: Annotated[Maybe, "J"] = None
    int16_multiply: Annotated[Maybe, "J"] = None
    int32_multiply: Annotated[Maybe, "J"] = None
    float32_add: Annotated[Maybe, "J"] = None
    float32_multiply: Annotated[Maybe, "J"] = None
    sram_access: Annotated[Maybe, "J"] = None


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

    reason: str
    remedy: str
    source: str
    grade: str


@dataclass(frozen=True, kw_only=True)
class Hardware:
    """A chip, or a technology, as its data file describes it.

    Attributes
    ----------
    passes
        Node type to the microcode passes that one of its neuron updates takes; ``relay`` is a
        neuron that only passes on.
    refuses
        Node type to why the chip cannot hold it; ``graded messages`` for messages that are no
        spikes.
    caveats
        Sentences that every report made with this file must print.
    """

    name: str
    title: str
    caveats: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    timing: Timing = field(default_factory=Timing)
    power: Power = field(default_factory=Power)
    arithmetic: Arithmetic = field(default_factory=Arithmetic)
    passes: Mapping[str, Quantity] = field(default_factory=dict)
    energy: tuple[EnergySet, ...] = ()
    refuses: Mapping[str, Refusal] = field(default_factory=dict)

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
