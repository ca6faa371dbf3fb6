"""A model family is a module here, one of the exporter, one of the STE network, and its recipes."""

from importlib import import_module
from importlib.util import find_spec

import pytest

from neurossm_converters.formats.torch.families import BLOCKS
from neurossm_models import Network
from neurossm_models.families import FAMILIES
from neurossm_models.train import load_recipe


def test_the_families_are_found():
    residual = {"binary-s4d", "gsu", "spikingssm", "spike-ssm", "prf", "d-rf", "s5"}
    assert set(FAMILIES) == residual | {"silif", "c-silif", "s5-rf", "delrec"}


@pytest.mark.parametrize("name", FAMILIES)
def test_each_family_is_whole(name):
    family = FAMILIES[name]
    assert family.name == name == family.config().family
    assert type(Network(family.config(width=2)).blocks[0]) is family.block
    assert family.block in BLOCKS
    module = f"neurossm_models.ste.families.{name.replace('-', '_')}"
    assert find_spec(module) and callable(import_module(module).ste_outputs)
    assert load_recipe(name, ["data.name=digits", "data.valid=9"]).network.family == name
    about = family.about()
    assert about["title"].endswith(".") and about["Source"] and about["Deviations"]


def test_what_cannot_be_deployed_is_said_by_the_family():
    config = FAMILIES["gsu"].config(threshold="maximum", norm="layer", bidirectional=True)
    found, said = config.deployable()
    assert (found.threshold, found.norm, found.bidirectional) == ("constant", "batch", False)
    words = ("layer norm", "bidirectional", "maximum")
    assert all(word in line for word, line in zip(words, said, strict=True))
    plain = FAMILIES["binary-s4d"].config()
    assert plain.deployable() == (plain, ())
