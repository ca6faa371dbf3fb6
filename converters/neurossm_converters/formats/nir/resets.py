"""Neurons that a file builds around a `Threshold` with the proposed node `Reset`.

What is recognized is a membrane (`LI` or `I`) that feeds a `Threshold` and nothing else, at most
one `Reset` by a jump of the membrane, and at most one exponential `Reset` back to the `Threshold`;
and a `StateSpace` of one mode in place of the membrane, with a `Reset` that subtracts.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neurossm.errors import GraphError
from neurossm.nodes import LIF
from neurossm_converters.formats.nir.document import Field, Part
from neurossm_converters.formats.nir.leaky import Chain, NodeContext, spread
from neurossm_converters.formats.nir.membranes import gain_of, integrate_and_fire, neuron
from neurossm_converters.formats.nir.net import Net
from neurossm_converters.formats.nir.proposal import (
    EXPONENTIAL,
    JUMPS,
    RESET,
    STATE_SPACE,
    Real,
    word,
)
from neurossm_converters.formats.nir.reset_neuron import fading
from neurossm_converters.formats.nir.resonator import RESONATOR

NEURON = "neuron with resets"  # the kind of a part that stands for a group
GROUPS = (NEURON, RESONATOR)
FIELDS = frozenset({"tau", "r", "v_leak", "v_threshold", "jump", "amount", "amplitude", "fade"})


def join_resets(net: Net) -> None:
    """Put one part where a membrane, its `Threshold` and their resets were.

    Raises
    ------
    GraphError
        For a `Reset` that stands elsewhere, or a group that is no neuron.
    """
    for name in [name for name in net.parts if net.kind(name) == "Threshold"]:
        resets = [n for n in dict.fromkeys([*net.sources(name), *net.targets(name)])
                  if net.kind(n) == RESET]  # fmt: skip
        if resets:
            _join(net, name, resets)
    for name in net.parts:
        if net.kind(name) == RESET:
            raise GraphError(
                net.where(name), expected="a Threshold in front of it", got=_listed(net, name)
            )


def _join(net: Net, spike: str, resets: list[str]) -> None:
    membranes = [name for name in net.sources(spike) if name not in resets]
    kinds = [net.kind(name) for name in membranes]
    if kinds not in (["LI"], ["I"], [STATE_SPACE]):
        raise GraphError(
            net.where(spike), expected="one LI, I or StateSpace into a Threshold that has a Reset",
            got=", ".join(kinds) or "none",
            remedy="neurossm has no counterpart of a Reset of anything else",
        )  # fmt: skip
    (membrane,) = membranes
    if net.targets(membrane) != [spike]:
        got = ", ".join(net.targets(membrane))
        raise GraphError(net.where(membrane), expected=f"a membrane that feeds {spike!r} only",
                         got=got)  # fmt: skip
    fields: dict[str, Field] = dict(_fields(net, membrane))
    fields["v_threshold"] = _fields(net, spike)["threshold"]
    for name in resets:
        fields |= _effect(net, name, spike, membrane, fields)
    kind = RESONATOR if kinds == [STATE_SPACE] else NEURON
    if kind == RESONATOR and ("fade" in fields or "jump" not in fields):
        raise GraphError(net.where(spike), expected="a Reset that subtracts behind a StateSpace",
                         got="an exponential one")  # fmt: skip
    before = [name for name in net.sources(membrane) if name not in resets]
    after = [name for name in net.targets(spike) if name not in resets]
    net.replace([membrane, *resets, spike], spike, Part(kind, fields), before, after)


def _effect(
    net: Net, name: str, spike: str, membrane: str, known: dict[str, Field]
) -> dict[str, Field]:
    """Return what a `Reset` adds to the fields of its neuron."""
    part, where = net.parts[name], net.where(name)
    assert isinstance(part, Part)
    kind = word(part, "kind", where, (*JUMPS, EXPONENTIAL))
    target = spike if kind == EXPONENTIAL else membrane
    if net.sources(name) != [spike] or net.targets(name) != [target]:
        raise GraphError(where, expected=f"edges {spike!r} -> it -> {target!r} of kind {kind!r}",
                         got=_listed(net, name))  # fmt: skip
    key, needed = ("fade", {"kind", "amplitude", "tau"}) if kind == EXPONENTIAL else (
        "amount", {"kind", "amount"})  # fmt: skip
    if key in known:
        raise GraphError(where, problem=f"{spike!r} has another Reset of this sort")
    if set(part.fields) != needed:
        raise GraphError(where, expected=f"the fields {', '.join(sorted(needed))}",
                         got=", ".join(sorted(part.fields)))  # fmt: skip
    if kind == EXPONENTIAL:
        return {"amplitude": part.fields["amplitude"], "fade": part.fields["tau"]}
    return {"jump": kind, "amount": part.fields["amount"]}


def _fields(net: Net, name: str) -> dict[str, Field]:
    part = net.parts[name]
    assert isinstance(part, Part)
    return dict(part.fields)


def _listed(net: Net, name: str) -> str:
    ends = (", ".join(map(repr, names)) or "nothing" for names in
            (net.sources(name), net.targets(name)))  # fmt: skip
    return " -> it -> ".join(ends)


def neuron_with_resets(here: NodeContext) -> Chain:
    """Return the `LIF` of a membrane, its threshold and its resets."""
    fields = dict(here.part.fields)
    jump = fields.pop("jump", "")
    own: dict[str, Field] = {
        name: fields.pop(name) for name in ("amount", "amplitude", "fade") if name in fields
    }
    kind = "LIF" if "tau" in fields else "IF"
    zero = np.zeros(here.channels)
    plain = replace(here, part=Part(kind, {**fields, "v_reset": zero}))
    part = Part(RESET, own)
    shown: dict[str, Real] = {
        name: spread(part.numbers(name, here.where), here.channels, f"{here.where}.{name}")
        for name in own
    }
    rule, taken = _rule(plain, str(jump), shown)
    make = neuron if kind == "LIF" else integrate_and_fire
    *lead, (suffix, node) = make(replace(plain, reset=rule))
    assert isinstance(node, LIF)
    gain = gain_of(replace(plain, reset=rule))
    if taken is not None:
        node = replace(node, rho=node.tau, kappa=taken / gain)
    elif "fade" in shown:
        fade = Part(RESET, {"tau": shown["fade"]})
        rho = fading(fade, here.steps.step, here.where)
        node = replace(node, rho=rho, kappa=shown["amplitude"] / gain)
    return [*lead, (suffix, node)]


def _rule(here: NodeContext, jump: str, own: dict[str, Real]) -> tuple[str, Real | None]:
    """Return the reset, and what a spike takes from the next membrane where that is kept apart."""
    amount = own.get("amount")
    if amount is None:
        return "none", None
    if jump == "value":
        if np.any(amount):
            raise GraphError(
                f"{here.where}.amount", expected="a reset to 0, where its membrane starts",
                got=f"{amount[np.abs(amount).argmax()]:g}",
            )  # fmt: skip
        return "nir", None
    if np.array_equal(amount, here.values("v_threshold", infinite=True)) or np.array_equal(
        amount, np.nextafter(here.values("v_threshold", infinite=True), np.inf)
    ):
        return "subtract", None
    # any other amount decays as the membrane does: kept apart, it is the refractory variable
    leaks = "tau" in here.part.fields
    if "fade" in own or not leaks or not np.all(amount >= 0):
        raise GraphError(
            f"{here.where}.amount",
            expected="the threshold, where the membrane does not leak, or there is an exponential"
            " Reset, or less than 0 is subtracted",
            got=f"{amount[0]:g}",
        )
    keep, _ = here.leak("tau", still=True)
    return "none", keep * amount
