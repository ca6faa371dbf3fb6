"""Each data set is a module whose `SOURCE` holds its reader, the facts of its task, provenance."""

from importlib import import_module
from pathlib import Path

import pytest

from neurossm_models.data import load, registry, splits, task
from neurossm_models.data.sets import SOURCES


def test_every_module_of_the_folder_is_a_data_set():
    folder = Path(import_module("neurossm_models.data.sets").__path__[0])
    modules = {path.stem for path in folder.glob("[!_]*.py")}
    names = {import_module(f"neurossm_models.data.sets.{module}").SOURCE.name for module in modules}
    assert names == set(SOURCES) == {entry.name for entry in registry()}
    assert len(names) == len(modules) == 11


@pytest.mark.parametrize("name", SOURCES)
def test_what_a_source_says_fits_together(name):
    source = SOURCES[name]
    assert task(name) is source.task and splits(name) == source.splits
    assert {"train", "test"} <= set(source.splits)
    # the validation part is held out of the training part where there is no other one
    assert ("valid" in source.splits) or source.valid or name == "imdb"
    assert source.about and source.size and source.provenance and source.license


def test_the_facts_of_digits_are_those_of_its_data():
    facts, data = task("digits"), load("digits:test")
    assert (facts.steps, facts.scale, facts.classes) == (64, 1 / 16, 10)
    assert data.shape[1:] == (facts.steps, 1) and data.scale == facts.scale
    assert set(data.labels.tolist()) == set(range(facts.classes))
