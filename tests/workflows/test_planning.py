"""The shape of a network from its recipe alone."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest
from spiking_block import tiny_graph

from neurossm.errors import InputError
from neurossm.hardware import load_hardware
from neurossm.placement import shape_of
from neurossm_workflows.place import place
from neurossm_workflows.planning import shape_like
from neurossm_workflows.profile import profile

FAMILIES = ("binary-s4d-digits", "gsu-digits", "spikingssm-digits", "spike-ssm-digits")


@pytest.mark.parametrize(
    ("recipe", "more"),
    [
        *((recipe, ["model.state=8"]) for recipe in FAMILIES),
        ("prf-digits", []),
        ("silif-digits", []),
        ("c-silif-digits", ["model.delays=[1, 9]"]),
        ("s5-rf-digits", ["model.blocks=3"]),
        ("d-rf-digits", ["model.dendrites=7"]),
        (FAMILIES[2], ["model.state=8", "model.sets=2"]),
        (FAMILIES[2], ["model.state=8", "model.delays=[1, 2, 9, 4]"]),
    ],
)
def test_a_plan_has_the_shape_of_what_would_be_exported(recipe: str, more: list[str]) -> None:
    from neurossm_converters.formats.torch import from_torch
    from neurossm_models import Network
    from neurossm_models.train import load_recipe

    sizes = ["model.width=6", "model.layers=2", *more]
    config = load_recipe(recipe, sizes).model
    exported = from_torch(Network(config).eval(), steps=4, scale=1.0)
    shape, said = shape_like(recipe, sizes)
    assert shape == shape_of(exported)
    assert {node.delay for node in shape.nodes.values()} == (
        {0, 9} if "delays" in str(more) else {0}
    )
    assert said == ()


def test_a_plan_of_tokens_says_what_of_the_recipe_cannot_be_deployed() -> None:
    shape, said = shape_like("spikingssm-wikitext103", ["model.layers=1"])
    encoder, decoder = shape.nodes["encoder"], shape.nodes["decoder"]
    assert (encoder.type, encoder.inputs, encoder.outputs) == ("Embedding", 267_735, 1024)
    assert (decoder.inputs, decoder.outputs) == (1024, 267_735)
    assert (shape.nodes["blocks.0.ssm"].inputs, shape.nodes["blocks.0.ssm"].modes) == (1024, 32)
    assert len(said) == 2 and "layer norm" in said[0] and "adaptive" in said[1]


def test_a_pair_of_sequences_is_not_planned() -> None:
    with pytest.raises(InputError, match="expected a network of single sequences"):
        shape_like("binary-s4d-retrieval", [])


def test_a_tower_of_layers_is_refused_before_it_is_made() -> None:
    with pytest.raises(InputError, match="--like binary-s4d-digits: expected at most 1000 layers"):
        shape_like("binary-s4d-digits", ["model.layers=100000"])


@pytest.mark.parametrize("given", [str, Path, load_hardware], ids=["text", "path", "loaded"])
def test_a_chip_is_given_as_its_file_or_loaded(given, tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    ours = resources.files("neurossm.hardware") / "loihi2.toml"
    mine.write_text(ours.read_text().replace('title = "', 'title = "My '), encoding="utf-8")
    inputs = np.zeros((1, 4, 2), np.int64)
    assert place(tiny_graph(), hardware=given(mine)).chip.title.startswith("My ")
    energy = profile(tiny_graph(), inputs, hardware=given(mine)).energy
    assert energy is not None and energy.hardware.title.startswith("My ")
