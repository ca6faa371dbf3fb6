"""One cell of the matrix of node types and concerns: what holds, or the reason why not.

A concern that a type refuses must say so by a `NeurossmError`, never by a `KeyError`, and must
stand in `REFUSED`: a refusal that nobody expected fails, and so does one that is gone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from node_examples import Example, examples

from neurossm.errors import NeurossmError
from neurossm.nodes import NODE_TYPES

FORMAT = (Path(__file__).parents[2] / "FORMAT.md").read_text(encoding="utf-8")
ROWS = FORMAT[FORMAT.index("## The nodes") :]  # one for each type, in this order
KINDS = tuple(sorted(NODE_TYPES, key=lambda kind: ROWS.find(f"`{kind}`")))

# concern and type to what the refusal says
REFUSED: dict[tuple[str, str], str] = {
    ("integers", "BatchNorm"): "it has no integer equation.* fold batch norms first",
    ("NIR", "BatchNorm"): "Scale has no bias; fold it first",
    ("NIR", "Product"): "NIR has no product of two signals",
    ("NIR", "PiecewiseLinear"): "NIR has no such function",
    ("NIR", "TernaryThreshold"): "NIR has no signed spikes",
    ("NIR", "AdaptiveThreshold"): "NIR has no threshold that earlier spikes raise",
    ("NIR", "ComplexDiagonal"): "NIR has no complex state that sends both of its parts",
    ("NIR", "AdaptiveLIF"): "NIR has no neuron that adapts",
    ("NIR", "ResonateAndFire"): "NIR has no resonator that spikes",
    ("NIR", "Embedding"): "NIR has no look-up of tokens",
    ("fine-tuning", "Conv2d"): "no family has it",
    ("loihi1", "DiagonalSSM"): "no microcode, no complex state",
    ("loihi1", "AdaptiveThreshold"): "no microcode, no threshold that earlier spikes raise",
    ("loihi1", "ComplexDiagonal"): "no microcode, no complex state",
    ("loihi1", "AdaptiveLIF"): "no microcode, no second state",
    ("loihi1", "ResonateAndFire"): "no microcode, no complex state",
    ("loihi1", "TernaryThreshold"): "a spike has no sign",
    ("loihi1", "PiecewiseLinear"): "a compartment cannot compute segments",
    ("loihi1", "Product"): "a compartment cannot multiply two inputs",
}

SEEN: dict[tuple[str, str], str] = {}  # concern and type to what the matrix shows

each_type = pytest.mark.parametrize("kind", KINDS)


def integer_examples(kind: str) -> tuple[Example, ...]:
    """Return the examples of a type; an empty tuple where it has no integers, which is checked."""
    if ("integers", kind) not in REFUSED:
        return examples(kind)
    return ()


@contextmanager
def cell(concern: str, kind: str) -> Iterator[None]:
    """Enter a result into the matrix; a refusal passes only if `REFUSED` has it."""
    expected = REFUSED.get((concern, kind))
    try:
        yield
    except NeurossmError as error:
        meant = "add it to REFUSED where that is meant"
        assert expected, f"{kind} refuses {concern}: {error} ({meant})"
        assert re.search(expected, str(error)), f"{kind} refuses {concern} otherwise: {error}"
        SEEN[concern, kind] = f"refused: {error}"
        return
    assert not expected, f"{kind} no longer refuses {concern}: remove it from REFUSED"
    SEEN[concern, kind] = "yes"


def refused(check: Callable[[], object]) -> NeurossmError | None:
    """Return the named error of a call, None where it succeeds; any other exception fails."""
    try:
        check()
    except NeurossmError as error:
        return error
    except Exception as error:
        pytest.fail(f"a bare {type(error).__name__}: {error}")
    return None
