"""Executors are found by entry points, ours and others', and imported when they are used."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from neurossm.deprecation import Deprecated
from neurossm.errors import InputError, TargetError
from neurossm.executors import choose, discovery, listed

ROOT = Path(__file__).parents[2]
OURS = ["fast", "reference", "float", "lava", "dask", "gpu", "bundle", "loihi2"]


def test_ours_are_those_of_pyproject_and_each_says_what_it_is():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert list(project["entry-points"]["neurossm.executors"]) == OURS
    ours = [one for one in listed() if not one.package]
    assert [one.name for one in ours] == OURS
    assert all(one.about and not one.problem for one in ours[:3])
    assert [one.name for one in ours if not one.exact] == ["float"]


def test_an_installed_package_is_asked_where_there_is_no_checkout(monkeypatch, tmp_path):
    monkeypatch.setattr(discovery, "__file__", str(tmp_path / "neurossm/executors/discovery.py"))
    point = metadata.EntryPoint
    both = [point("one", "a.b:C", "neurossm.executors"), point("two", "a.b:D", "console_scripts")]
    points = metadata.EntryPoints(both)

    class Installed:
        entry_points = points

    monkeypatch.setattr(metadata, "distribution", lambda name: Installed)
    found = discovery._own.__wrapped__()
    assert found == (discovery.Entry("one", "a.b:C"),)
    # somebody else's project above the package is not ours
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "mine"\n')
    assert discovery._own.__wrapped__() == found


def test_naming_an_engine_imports_that_one_alone():
    program = """
import sys
from neurossm.executors import choose
choose({engine!r})
print(*sorted({{"numba", "lava", "dask", "distributed", "neurossm_converters", "torch", "triton",
                "h5py"}} & set(sys.modules)))
"""
    for engine, loaded in (("fast", ""), ("lava:batch=2", "neurossm_converters"),
                           ("dask", "neurossm_converters"),
                           ("gpu", "neurossm_converters")):  # fmt: skip
        done = subprocess.run([sys.executable, "-c", program.format(engine=engine)],
                              capture_output=True, text=True, check=True, timeout=60)  # fmt: skip
        assert set(done.stdout.split()) - {"h5py"} == set(loaded.split()), engine


def test_a_text_with_options_is_an_engine_that_is_typed_like_it():
    engine = choose("lava:protocol=loihi,batch=8")
    assert (engine.name, engine.package, engine.together) == ("lava", "", 8)
    assert str(engine) == "lava:batch=8,protocol=loihi"  # in the order of the options
    assert choose(engine) is engine and choose(str(engine)) == engine
    assert str(choose("lava:batch=0")) == "lava" and choose("lava").together == 32


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ("fats", "engine: expected fast | reference | float | lava | dask | gpu | bundle |"
                 " loihi2, got 'fats'; did you mean 'fast'?"),
        ("", "'neurossm doctor' lists them"),
        (None, "engine: expected NAME or NAME:key=value,..., got None"),
        (3, "got 3"),
        ("lava:batch", "engine lava: expected key=value, got 'batch'"),
    ],
)  # fmt: skip
def test_what_is_no_engine_is_refused(engine, said):
    with pytest.raises(InputError) as refused:
        choose(engine)
    assert said in str(refused.value)


SOURCE = """
from neurossm.executors import Executor, NoOptions
GOOD = Executor("good", "does nothing", None, NoOptions)
OTHER = Executor("other", "does nothing", None, NoOptions, missing=lambda: "no chip; buy one")
NOTHING = 3
raise_ = {}
"""


def test_a_package_is_listed_with_what_is_missing_or_broken(package):
    points = {"good": "gp:GOOD", "other": "gp:OTHER", "fast": "gp:GOOD", "none": "gp:NOTHING",
              "gone": "gp:GONE", "alias": "gp:GOOD", "away": "no_such_module:X"}  # fmt: skip
    package("gp", SOURCE, points)
    package("gp2", SOURCE, {"good": "gp2:GOOD"})
    found = {(one.name, one.package): one.problem for one in listed() if one.package}
    assert found == {
        ("good", "gp 1.0"): "",
        ("good", "gp2 1.0"): "",
        ("other", "gp 1.0"): "no chip; buy one",
        ("fast", "gp 1.0"): "the name is one of neurossm's own",
        ("none", "gp 1.0"): "engine 'none' of gp 1.0: expected an Executor at gp:NOTHING, got 3",
        ("gone", "gp 1.0"): "engine 'gone' of gp 1.0: expected an executor at gp:GONE, got"
                            " AttributeError: module 'gp' has no attribute 'GONE'",
        ("alias", "gp 1.0"): "engine 'alias' of gp 1.0: expected the name of its entry point, got"
                             " 'good'",
        ("away", "gp 1.0"): "engine 'away' of gp 1.0: expected an executor at no_such_module:X, got"
                            " ModuleNotFoundError: No module named 'no_such_module'",
    }  # fmt: skip
    with pytest.raises(InputError, match=r"got gp 1.0 and gp2 1.0; uninstall one of them"):
        choose("good")
    assert choose("fast").package == ""
    with pytest.raises(TargetError, match=r"^engine 'other' of gp 1.0 cannot run here: no chip;"):
        choose("other").require()
    with pytest.raises(InputError, match=r"did you mean 'other'\?"):
        choose("othr")


def test_the_old_name_of_the_batch_size_warns():
    words = r"^engine lava option stacked is deprecated, use batch \(removed in 0\.4\)$"
    with pytest.warns(Deprecated, match=words):
        assert str(choose("lava:stacked=8")) == "lava:batch=8"
    with pytest.warns(Deprecated), pytest.raises(InputError, match="option batch: it is given twi"):
        choose("lava:batch=8,stacked=8")
