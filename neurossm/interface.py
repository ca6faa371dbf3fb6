"""The inputs and outputs of a graph in the user's terms; kept in `Graph.meta`.

Keys: ``task``, ``readout`` and ``data_split`` are plain texts; ``input_scaling``,
``target_scaling``, ``class_names``, ``channel_names`` and ``cutoffs`` are JSON. FORMAT.md names
them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neurossm.errors import FormatError, InputError
from neurossm.fixed import Scaling, TargetScaling
from neurossm.graph import Graph

CLASSIFICATION = "classification"
TASKS = (
    CLASSIFICATION,  # one of some classes for a sequence
    "multilabel",  # any of some classes for a sequence
    "regression",  # real numbers for a sequence
    "step-classification",  # one of some classes at every step
    "step-regression",  # real numbers at every step
    "next-step",  # at every step the input of the next one
)
EVERY_STEP = ("step-classification", "step-regression", "next-step")
# how the answer to a sequence is made of what the output sends over time
READOUTS = ("mean", "last", "max", "sum", "leaky", "every-step")


@dataclass(frozen=True)
class Interface:
    """Meaning of a graph's first input and output.

    Attributes
    ----------
    task
        One of `TASKS`.
    readout
        One of `READOUTS`; empty where nobody said it. ``mean`` and ``sum``: the graph adds up (a
        mean over ``meta["steps"]`` steps), the answer is read at a sequence's own last step;
        ``last`` and ``leaky``: read there too, of what the output sends at that step; ``max``: the
        largest that each channel sent; ``every-step``: an answer at each step. Outputs that are
        spikes are counted.
    scaling
        From real values to the integers of the input; None where they are integers by themselves.
    target
        From what the output sends to real values; None where classes are answered.
    class_names, channel_names
        Of the output's and of the input's channels; empty where they have none.
    split
        How training, validation and test part were cut from data without parts.
    cutoffs
        Of an adaptive softmax: where groups of rarer tokens begin. What the output sends are its
        scores, see `log_likelihoods`; empty: one score a class.
    """

    task: str = CLASSIFICATION
    readout: str = ""
    scaling: Scaling | None = None
    target: TargetScaling | None = None
    class_names: tuple[str, ...] = ()
    channel_names: tuple[str, ...] = ()
    split: str = ""
    cutoffs: tuple[int, ...] = ()

    @classmethod
    def of(cls, graph: Graph) -> Interface:
        """Return what a graph says of itself.

        Raises
        ------
        FormatError
            If one of the keys holds something else.
        """
        meta = graph.meta
        scaling = _expanded(_json(meta, "input_scaling"), graph, graph.inputs[0])
        target = _expanded(_json(meta, "target_scaling"), graph, graph.outputs[0])
        try:
            found = cls(
                task=_text(meta, "task", TASKS) or CLASSIFICATION,
                readout=_text(meta, "readout", READOUTS),
                scaling=None if scaling is None else Scaling.from_json(scaling),
                target=None if target is None else TargetScaling.from_json(target),
                class_names=_names(meta, "class_names"),
                channel_names=_names(meta, "channel_names"),
                split=_text(meta, "data_split"),
                cutoffs=_cutoffs(_json(meta, "cutoffs"), graph),
            )
        except InputError as error:
            raise error.inside("graph.meta: ", FormatError) from None
        found._check_channels(graph)
        return found

    def applied(self, graph: Graph) -> Graph:
        """Return the graph that says this of itself; what is empty here is taken out.

        Raises
        ------
        FormatError
            If a scaling has other channels than the graph, or cut-offs do not cut its tokens.
        """
        self._check_channels(graph)
        _cutoffs(list(self.cutoffs) or None, graph)
        texts = {
            "task": "" if self.task == CLASSIFICATION else self.task,
            "readout": self.readout,
            "input_scaling": _dumped(self.scaling),
            "target_scaling": _dumped(self.target),
            "class_names": json.dumps(self.class_names) if self.class_names else "",
            "channel_names": json.dumps(self.channel_names) if self.channel_names else "",
            "data_split": self.split,
            "cutoffs": json.dumps(self.cutoffs) if self.cutoffs else "",
        }
        meta = {key: value for key, value in graph.meta.items() if key not in texts}
        return replace(graph, meta={**meta, **{k: text for k, text in texts.items() if text}})

    def _check_channels(self, graph: Graph) -> None:
        wide = {"input_scaling": (self.scaling, graph.inputs), "target_scaling": (self.target,
                graph.outputs)}  # fmt: skip
        for key, (scaling, names) in wide.items():
            channels = graph.nodes[names[0]].out_channels
            if scaling is not None and len(scaling.unit) != channels:
                raise FormatError(f"graph.meta {key}", expected=f"{channels} channels",
                                  got=str(len(scaling.unit)))  # fmt: skip


def log_likelihoods(scores: ArrayLike, cutoffs: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the log-likelihood of each token from the scores of an adaptive softmax.

    Parameters
    ----------
    scores
        Real numbers (..., V + G): of the tokens of the first group and of each of the G others,
        then of the tokens of these. A softmax is one of the first two, and one of each group.
    cutoffs
        First token of each of the G groups behind the first.

    Returns
    -------
    ndarray
        Shape (..., V); a token's own, in its group, and its group's are added.
    """
    found, groups = np.asarray(scores, dtype=np.float64), len(cutoffs)
    if not groups:
        return found
    ends = [0, *(end + groups for end in cutoffs), found.shape[-1]]
    parts = [_log_softmax(found[..., start:end]) for start, end in pairwise(ends)]
    head, first = parts[0], cutoffs[0]
    inside = [head[..., first + k, None] + part for k, part in enumerate(parts[1:])]
    return np.concatenate([head[..., :first], *inside], axis=-1)


def classes_of(graph: Graph) -> int:
    """Return how many numbers an answer of a graph has: one a class, or one a token."""
    channels = graph.nodes[graph.outputs[0]].out_channels
    return channels - len(Interface.of(graph).cutoffs)


def _log_softmax(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    above = scores - scores.max(axis=-1, keepdims=True)
    return np.asarray(above - np.log(np.exp(above).sum(axis=-1, keepdims=True)))


def _cutoffs(found: Any, graph: Graph) -> tuple[int, ...]:
    """Return cut-offs, None being none, unless they do not cut the tokens of a graph's output."""
    if found is None:
        return ()
    most = graph.nodes[graph.outputs[0]].out_channels
    whole = isinstance(found, list) and found and all(type(cut) is int for cut in found)
    if not whole or any(a >= b for a, b in pairwise((0, *found, most - len(found)))):
        expected = f"rising whole numbers below the tokens of an output of {most} channels"
        raise FormatError("graph.meta cutoffs", expected=expected, got=repr(found)[:80])
    return tuple(found)


def _dumped(scaling: Scaling | TargetScaling | None) -> str:
    """Return a scaling as JSON; what is the same in all channels stands there once."""
    if scaling is None:
        return ""
    once = {
        key: value[0] if isinstance(value, list) and len(set(value)) == 1 else value
        for key, value in scaling.as_json().items()
    }
    return json.dumps(once)


def _expanded(found: Any, graph: Graph, name: str) -> Any:
    """Return a scaling as read, with a number a channel where one stands for all."""
    if not isinstance(found, dict):
        return found
    channels = graph.nodes[name].out_channels
    return {
        key: [value] * channels if key != "bits" and isinstance(value, int | float) else value
        for key, value in found.items()
    }


def _text(meta: Any, key: str, known: tuple[str, ...] = ()) -> str:
    value = meta.get(key, "")
    if not isinstance(value, str) or (value and known and value not in known):
        expected = " | ".join(known) or "a text"
        raise FormatError(f"graph.meta {key}", expected=expected, got=repr(value))
    return value


def _json(meta: Any, key: str) -> Any:
    if key not in meta:
        return None
    try:
        return json.loads(meta[key])
    except (TypeError, ValueError, RecursionError):
        raise FormatError(f"graph.meta {key}", expected="JSON", got=repr(meta[key])[:80]) from None


def _names(meta: Any, key: str) -> tuple[str, ...]:
    found = _json(meta, key)
    if found is None:
        return ()
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise FormatError(f"graph.meta {key}", expected="a list of texts", got=repr(found)[:80])
    return tuple(found)
