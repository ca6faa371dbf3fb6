"""The table "What runs where", from what the code itself says: ``make matrix`` writes it.

It goes between two markers in docs/reference/nodes.md, with every reason below it; a test says
whether it is current.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import chip_arithmetic
import numpy as np
from conformance.cells import KINDS, REFUSED
from conformance.places import Place, in_nir, on_chip, on_lava, placed
from node_examples import NODE, Example, examples

from neurossm import Stepper, run
from neurossm.errors import NeurossmError
from neurossm.hardware import known_hardware, load_hardware
from neurossm.placement import SSM_MAPPINGS, check
from neurossm.store import Golden, save
from neurossm.trace import Trace
from neurossm_chip.refusal import Refusal
from neurossm_converters.formats import nir

ROOT = Path(__file__).parents[2]
BEGIN, END = "<!-- what runs where: make matrix -->", "<!-- end of what runs where -->"
PAGE = ROOT / "docs/reference/nodes.md"
EXECUTORS: dict[str, Callable[[Example, Trace], bool]] = {}


def executor(name: str) -> Callable[..., Callable[[Example, Trace], bool]]:
    """Enter a function that tells whether an executor gives the integers of the reference."""

    def enter(function: Callable[[Example, Trace], bool]) -> Callable[[Example, Trace], bool]:
        EXECUTORS[name] = function
        return function

    return enter


@executor("fast")
def _fast(example: Example, expected: Trace) -> bool:
    found = run(example.integers, example.inputs, "fast")
    return all(np.array_equal(found.values[n], value) for n, value in expected.values.items())


@executor("Stepper")
def _stepper(example: Example, expected: Trace) -> bool:
    stream, alike = Stepper(example.integers, samples=expected.samples, record="all"), True
    for t in range(expected.steps):
        stream.step({name: array[:, t] for name, array in example.inputs.items()})
        alike &= all(np.array_equal(stream.values[n], v[:, t]) for n, v in expected.values.items())
    return alike


@executor("gpu")
def _gpu(example: Example, expected: Trace) -> bool:
    found = run(example.integers, example.inputs, "gpu:device=interpreter")
    return all(np.array_equal(found.values[n], value) for n, value in expected.values.items())


@executor("bundle")
def _bundle(example: Example, expected: Trace) -> bool:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "a.nssm"
        save(path, example.integers, (Golden.from_trace(example.inputs, expected),))
        ((values, *_),) = chip_arithmetic.run(str(path))
    return all(np.array_equal(values[n], value[0]) for n, value in expected.values.items())


def executed(kind: str, name: str) -> Place:
    """Return what an executor makes of a type's examples: the same integers, or a reason."""
    found = []
    for example in examples(kind):
        expected = run(example.integers, example.inputs, "reference")
        try:
            found.append("" if EXECUTORS[name](example, expected) else "other integers")
        except (NeurossmError, Refusal) as error:
            found.append(str(error))
    return placed(kind, found)


def primitives(kind: str) -> str:
    """Return the NIR nodes that the examples of a type become."""
    names: set[str] = set()
    for example in examples(kind):
        if not nir.expressible(example.graph):
            found = nir.to_nir(example.graph).nodes.get(NODE)
            names.add("edges that meet" if found is None else type(found).__name__)
    return ", ".join(sorted(names)).replace("NIRGraph", "LI and Scale")


def columns() -> dict[str, Callable[[str], Place]]:
    """Return the heading of each column, and what says for a type what stands there."""
    found: dict[str, Callable[[str], Place]] = {}
    for name in EXECUTORS:
        found[name] = lambda kind, name=name: executed(kind, name)
    found["Lava"], found["NIR"] = on_lava, in_nir
    for chip in known_hardware():
        hardware = load_hardware(chip)
        (example, *_) = examples("Input")
        if check(example.integers, hardware).fits is None and not hardware.refuses:
            continue  # no chip: nothing that could refuse, or hold, a node
        found[hardware.title.removeprefix("Intel ")] = lambda kind, chip=chip: both(kind, chip)
    return found


def both(kind: str, chip: str) -> Place:
    """Return what a chip says of a type under all mappings of state space models."""
    each = [on_chip(kind, chip, mapping) for mapping in SSM_MAPPINGS]
    reasons = tuple(dict.fromkeys(reason for place in each for reason in place.reasons))
    return Place(each[0].examples, min(place.taken for place in each), reasons)


@cache
def rows() -> dict[str, dict[str, Place]]:
    """Return each node type with its places."""
    return {kind: {name: where(kind) for name, where in columns().items()} for kind in KINDS}


def rendered() -> str:
    """Return the table in Markdown, and every reason below it."""
    names = list(columns())
    lines = [f"| node | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    because = []
    for kind, places in rows().items():
        words = {name: place.word for name, place in places.items()}
        if ("integers", kind) in REFUSED:
            words |= {name: "folded first" for name in EXECUTORS}
            words |= {name: "folded first" for name, word in words.items() if word == "yes"}
        elif places["NIR"].taken:
            words["NIR"] = primitives(kind) + (" (some)" if words["NIR"] == "some" else "")
        lines.append(f"| `{kind}` | {' | '.join(words[name] for name in names)} |")
        because += [f"- `{kind}`, {name}: {reason}." for name, place in places.items()
                    for reason in place.reasons]  # fmt: skip
    return "\n".join([*lines, "", *because])


def block() -> str:
    """Return what has to stand between the markers of the page."""
    return f"{BEGIN}\n{rendered()}\n{END}"


def current() -> str:
    """Return what stands there now, markers included."""
    text = PAGE.read_text(encoding="utf-8")
    start, end = text.index(BEGIN), text.index(END) + len(END)
    return text[start:end]


def write() -> None:
    """Bring the page up to date."""
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(text.replace(current(), block()), encoding="utf-8")


if __name__ == "__main__":
    write()
    print(rendered())
