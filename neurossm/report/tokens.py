"""A sample of tokens as SVG: its characters or words, and under each what the spike layers do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neurossm.graph import Graph
from neurossm.report.markup import element, text
from neurossm.trace import Trace

WIDTH = 760.0
_CHARACTER, _LEAST, _PAD = 7.9, 11.0, 4.0  # pixels, 13 px monospace
_LINE, _STRIP, _GAP = 18.0, 6.0, 10.0
_LEGEND = 16.0
_MOST_TOKENS, _MOST_LAYERS, _LONGEST = 400, 8, 24
_VISIBLE = {" ": "␣", "\n": "↵", "\t": "→", "\r": "␍", "": "∅"}


@dataclass(frozen=True)
class _Layer:
    name: str
    activity: NDArray[np.float64]  # share of its channels that spike, by step
    rate: float


def is_tokens(graph: Graph, trace: Trace) -> bool:
    """Tell whether the trace recorded an input of tokens."""
    return any(name in trace.values for name in graph.vocabularies)


def spelled(number: int, names: Sequence[str]) -> str:
    """Return a token as it is drawn: its name, what is not visible as a sign, or its number.

    Examples
    --------
    >>> spelled(0, (" ", "b")), spelled(1, (" ", "b")), spelled(7, ())
    ('␣', 'b', '7')
    """
    if not 0 <= number < len(names):
        return str(number)
    name = names[number]
    shown = "".join(_VISIBLE.get(c, c if c.isprintable() else "·") for c in name)
    shown = shown or _VISIBLE[""]
    return shown if len(shown) <= _LONGEST else shown[: _LONGEST - 1] + "…"


def token_svg(graph: Graph, trace: Trace, names: Sequence[str] = ()) -> str:
    """Return the first sample of a trace as text, with a strip for each spike layer under a token.

    A strip is the darker, the larger the share of the channels of its layer that spike at this
    step; full color is the largest share of this layer. Of more than 400 tokens the first are
    drawn, of more than 8 spike layers the first.

    Parameters
    ----------
    names
        Of the tokens, by number; empty: numbers are drawn.
    """
    (source, *_) = (name for name in graph.inputs if name in graph.vocabularies)
    numbers = np.asarray(trace.values[source][0])[:_MOST_TOKENS]
    layers = _layers(graph, trace, len(numbers))
    rows = numbers.shape[1]
    height = rows * _LINE + len(layers) * _STRIP + _GAP
    parts, x, top = _legend(layers), 0.0, _LEGEND * (len(layers) + 1)
    for step, token in enumerate(numbers.tolist()):
        words = [spelled(number, names) for number in token]
        width = max(_LEAST, max(map(len, words)) * _CHARACTER + _PAD)
        if x + width > WIDTH and x > 0:
            x, top = 0.0, top + height
        parts.append(_token(words, layers, step, x, top, width))
        x += width
    whole = top + height
    title = f"{len(numbers)} of {trace.steps} tokens of one sample, {len(layers)} spike layers"
    return element(
        "svg", element("title", text(title)), *parts, class_="chart tokens", width=WIDTH,
        height=whole, viewBox=f"0 0 {WIDTH:g} {whole:g}", role="img",
    )  # fmt: skip


def activity_rows(graph: Graph, trace: Trace, names: Sequence[str]) -> list[tuple[object, ...]]:
    """Return a head and a row for each step: step, token, its name, activity of each layer."""
    (source, *_) = (name for name in graph.inputs if name in graph.vocabularies)
    numbers = np.asarray(trace.values[source][0])
    layers = _layers(graph, trace, len(numbers), most=None)
    head: tuple[object, ...] = ("step", "token", "text", *(layer.name for layer in layers))
    return [
        head,
        *(
            (step, int(token[0]), names[token[0]] if 0 <= token[0] < len(names) else "",
             *(float(layer.activity[step]) for layer in layers))
            for step, token in enumerate(numbers.tolist())
        ),
    ]  # fmt: skip


def _layers(
    graph: Graph, trace: Trace, steps: int, most: int | None = _MOST_LAYERS
) -> list[_Layer]:
    found = []
    for name in graph.order:
        out = graph.nodes[name].out
        if name in trace.values and out is not None and out.is_spike:
            active = np.mean(np.asarray(trace.values[name][0]) != 0, axis=1)
            found.append(_Layer(name, active[:steps], float(active.mean())))
    return found[:most]


def _token(
    words: Sequence[str], layers: Sequence[_Layer], step: int, x: float, top: float, width: float
) -> str:
    said = ", ".join(f"{layer.name} {layer.activity[step]:.3f}" for layer in layers)
    parts = [element("title", text(f"step {step}: {' '.join(words)}; {said}"))]
    for row, word in enumerate(words):
        parts.append(
            element("text", text(word), class_="token", x=x + width / 2, y=top + 13 + row * _LINE,
                    text_anchor="middle")
        )  # fmt: skip
    for index, layer in enumerate(layers):
        largest = float(layer.activity.max()) or 1.0
        shade = float(layer.activity[step]) / largest
        if shade:
            parts.append(
                element("rect", class_="spikes", x=x, y=top + len(words) * _LINE + index * _STRIP,
                        width=width - 1, height=_STRIP - 1, fill_opacity=f"{shade:.2f}")
            )  # fmt: skip
    return element("g", *parts)


def _legend(layers: Sequence[_Layer]) -> list[str]:
    if not layers:
        return []
    head = "Strips under each token, from top to bottom; full color: the largest share of channels"
    parts = [element("text", head, class_="label", x=0, y=11)]
    for index, layer in enumerate(layers):
        y = _LEGEND * (index + 1)
        largest = float(layer.activity.max())
        parts.append(element("rect", class_="spikes", x=0, y=y + 3, width=22, height=_STRIP - 1))
        label = f"{layer.name}: spike rate {layer.rate:.3f}, at most {largest:.3f} in one step"
        parts.append(element("text", text(label), class_="tick", x=28, y=y + 10))
    return parts
