"""Settings that a NIR file lacks, for all nodes or for single ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from neurossm.errors import InputError
from neurossm.fixed import Fixed
from neurossm_converters.formats.nir.convention import Convention
from neurossm_converters.formats.nir.net import Net
from neurossm_converters.formats.nir.resets import GROUPS

SPIKING = ("LIF", "IF", "CubaLIF")


@dataclass(frozen=True)
class Setting:
    """What a NIR file does not say.

    Parameters
    ----------
    steps
        What a step is.
    reset
        ``nir``, ``subtract``, ``subtract-late`` or ``none``.
    compare
        ``gt`` or ``ge``.
    input
        Number format of the data.
    length
        Steps for which a running sum must have headroom; None where there is none.
    resets, compares
        The same for single nodes, by name.
    """

    steps: Convention
    reset: str
    compare: str
    input: Fixed
    length: int | None
    resets: Mapping[str, str] = field(default_factory=dict)
    compares: Mapping[str, str] = field(default_factory=dict)


def check_names(net: Net, setting: Setting) -> None:
    """Refuse a rule for a node that is not there, or that has no use for it."""
    for option, rules, kinds in (
        ("--reset", setting.resets, SPIKING),
        ("--compare", setting.compares, (*SPIKING, "Threshold", *GROUPS)),
    ):
        known = [name for name in net.parts if net.kind(name) in kinds]
        for name in rules:
            if name not in known:
                raise InputError(
                    f"{option} {name}={rules[name]}",
                    expected="a node of the file that spikes: " + (", ".join(known[:20]) or "none"),
                    got=repr(name),
                )
