"""The core counts in docs/explanation/placement.md are those that the code gives."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from published_networks import s4d_shape

from neurossm.hardware import load_hardware
from neurossm.placement import place
from neurossm_workflows.planning import shape_like

LOIHI2 = load_hardware("loihi2")
DOCUMENT = (Path(__file__).parents[2] / "docs" / "explanation" / "placement.md").read_text()
ROWS = re.findall(
    r"\| (\d+) (real|complex) \| (\d+) \((.+?)\) \| (\d+) \| (\d+) \((.+?)\) \| (\d+) \|", DOCUMENT
)
RECIPES = re.findall(
    r"^\| (binary-\S+)(?: \(.+?\))?(?:, .+?)? \| (\d+) \| (\d+) \|", DOCUMENT, re.M
)


def counts(states: int, real: bool, width: int) -> tuple[int, str, int]:
    shape = s4d_shape(width=width, states=states, layers=4, real=real)
    placed = place(shape, LOIHI2, ssm_mapping="state")
    block = [len(placed.slices_of[name]) for name in ("s4d0.states", "s4d0", "relu0")]
    by_channel = place(shape, LOIHI2, ssm_mapping="channel")
    return len(placed.cores), " + ".join(map(str, block)), len(by_channel.cores)


@pytest.mark.parametrize("row", ROWS, ids=[f"{row[0]} {row[1]}" for row in ROWS])
def test_core_counts_beside_the_published_deployments(row: tuple[str, ...]) -> None:
    states, real = int(row[0]), row[1] == "real"
    assert counts(states, real, 128) == (int(row[2]), row[3], int(row[4]))
    assert counts(states, real, 256) == (int(row[5]), row[6], int(row[7]))


def test_the_document_has_all_rows() -> None:
    assert len(ROWS) == 6 and len(RECIPES) == 3


@pytest.mark.parametrize("row", RECIPES, ids=[row[0] for row in RECIPES])
def test_core_counts_of_recipes(row: tuple[str, ...]) -> None:
    shape, _ = shape_like(row[0], [])
    by_mapping = [len(place(shape, LOIHI2, ssm_mapping=m).cores) for m in ("state", "channel")]
    assert by_mapping == [int(row[1]), int(row[2])]


def test_linear_layers_alone_make_the_published_parameter_counts() -> None:
    def parameters(width: int, inputs: int = 3, classes: int = 10, blocks: int = 4) -> int:
        return (inputs + 1) * width + blocks * width * width + (width + 1) * classes

    assert parameters(128) == 67_338 and "67,338" in DOCUMENT
    assert parameters(256) == 265_738 and "265,738" in DOCUMENT
