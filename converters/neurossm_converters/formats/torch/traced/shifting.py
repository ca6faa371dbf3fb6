"""Shifts of a tensor along time: zeros are put in front, and as many steps are cut at the end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from torch import fx

from neurossm.errors import GraphError
from neurossm.nodes import Delay
from neurossm_converters.formats.torch.traced.signals import Signal, Unfollowed
from neurossm_converters.formats.torch.traced.tables import Window
from neurossm_converters.formats.torch.traced.values import constant
from neurossm_converters.formats.torch.traced.walk import Walk

SHIFTS = (
    f"a shift is by 1 to {Delay.longest} steps to later ones, with zeros in front and as many steps"
    " as before"
)


def can_be_cut(signal: Any, place: int) -> bool:
    """Tell whether some steps of a tensor may be taken, to be put behind zeros."""
    whole = isinstance(signal, Signal) and signal.at is None and not signal.reduce
    return whole and not signal.tokens and signal.dims[place] == ("t",)


def cut(walk: Walk, node: fx.Node, value: Signal | Window, place: int, start: int, stop: int,
        error: Unfollowed) -> Signal | Window:  # fmt: skip
    """Return steps of a tensor, counted in it; `error` is for what can do nothing with them."""
    window = value if isinstance(value, Window) else Window(value, place, 0, walk.steps, _reason(
        walk, node, error))  # fmt: skip
    found = replace(window, start=window.start + start, length=stop - start)
    return _resolved(walk, node, found)


def padded(walk: Walk, node: fx.Node, value: Signal | Window, place: int, before: int, behind: int,
           error: Unfollowed) -> Signal | Window:  # fmt: skip
    """Return a tensor with zeros in front and behind, or fewer steps where these are negative."""
    window = value if isinstance(value, Window) else Window(value, place, 0, walk.steps, _reason(
        walk, node, error))  # fmt: skip
    hidden = (before > 0 and window.start > 0) or (
        behind > 0 and window.start + window.length < walk.steps
    )
    if window.place != place or hidden:  # zeros in the place of steps that are there
        raise error
    found = replace(
        window, start=window.start - before, length=window.length + before + behind
    )  # fmt: skip
    return _resolved(walk, node, found)


def joined(walk: Walk, node: fx.Node, tensors: Any, place: int) -> Signal | Window | None:
    """Return steps between zeros put together along time; None where that is not what they are."""
    parts = [t for t in tensors if isinstance(t, Signal | Window)]
    if len(parts) != 1:
        return None
    (part,), index = parts, [isinstance(t, Signal | Window) for t in tensors].index(True)
    there = part.place == place if isinstance(part, Window) else can_be_cut(part, place)
    zeros = [constant(t) for t in tensors if t is not part]
    if not there or any(np.any(values) for values in zeros):
        return None
    sizes = [values.shape[place] for values in zeros]
    error = Unfollowed("a shift to later steps", "steps between zeros", SHIFTS)
    return padded(walk, node, part, place, sum(sizes[:index]), sum(sizes[index:]), error)


def _resolved(walk: Walk, node: fx.Node, window: Window) -> Signal | Window:
    """Return as many steps as before as a tensor: the same one, or one that comes later."""
    if window.length != walk.steps:
        return window
    signal, shift = window.signal, -window.start
    if not shift:
        return signal
    if not 1 <= shift <= Delay.longest or signal.rows.is_constant:
        got = f"one by {shift}" if shift > 0 else "one to earlier steps"
        got = "one of a constant" if signal.rows.is_constant else got
        raise Unfollowed("a shift of values by as many steps as a Delay has", got, SHIFTS)

    def delay(channels: int) -> Delay:
        return Delay(channels=channels, steps=np.array([shift]))

    rows = walk.wiring.pointwise(("delay", shift), signal.rows, delay, f"{walk.hint(node)}.delay")
    return replace(signal, rows=rows)


def _reason(walk: Walk, node: fx.Node, error: Unfollowed) -> GraphError:
    return GraphError(walk.where(node), expected=error.expected, got=error.got,
                      remedy=error.remedy)  # fmt: skip
