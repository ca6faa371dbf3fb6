"""Every other family goes the whole way: train, export, quantize, verify, run, profile, show."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

import pytest

from neurossm.engine.compiled import FORMS
from neurossm.nodes import Accumulate, Sum
from neurossm.store import load

TINY = (
    "train.epochs=1", "data.limit=40", "data.valid=8", "train.batch=16", "model.width=4",
)  # fmt: skip
DATA = ("--data", "digits:test:3")
# low thresholds: so small a network, hardly trained, would be silent
START = {
    "gsu": ("delta=0.5", "state=4"), "spikingssm": ("threshold=0.1", "state=4"),
    "spike-ssm": ("threshold=0.1", "state=4"), "prf": ("threshold=0.05",),
    "d-rf": ("threshold=0.05", "dendrites=2", "taps=3"),
}  # fmt: skip
SPIKES = {
    "gsu": ("ternary", "TernaryThreshold"), "spikingssm": ("neuron", "LIF"),
    "spike-ssm": ("neuron", "LIF"), "prf": ("spike", "Threshold"),
    "d-rf": ("spike", "AdaptiveThreshold"),
}  # fmt: skip
STEPS, WIDTH, MODES, LAYERS, CLASSES = 64, 4, 2, 2, 10
# of a feature besides its modes: a membrane is one, one with its trace two, candidates one a tap
KEPT = {"gsu": 0, "spikingssm": 1, "spike-ssm": 2, "prf": -2, "d-rf": 3}  # PRF: one mode alone


@dataclass(frozen=True)
class Made:
    """What the commands made of one family."""

    family: str
    run: Path
    floating: Path
    integer: Path


def sets(*more: str) -> list[str]:
    return [f"--set={item}" for item in (*TINY, *more)]


@pytest.fixture(scope="module", params=list(SPIKES))
def made(request, neurossm, tmp_path_factory) -> Made:
    folder = tmp_path_factory.mktemp(request.param)
    made = Made(request.param, folder / "run", folder / "m.nssm", folder / "m.int.nssm")
    commands = (
        (
            "train",
            f"{made.family}-digits",
            *sets(*(f"model.{key}" for key in START[made.family])),
            "--out",
            made.run,
        ),
        ("export", made.run, "-o", made.floating),
        ("quantize", made.floating, "-o", made.integer, "--calibrate", "digits:train:8"),
    )
    for command in commands:
        ended = neurossm(*command)
        assert ended.status == 0, ended.err
    return made


def test_show_says_what_it_is(neurossm, made, tmp_path):
    shown = neurossm("show", made.integer, "--svg", tmp_path / "g.svg", "--json").document
    assert shown["integer"] is True and shown["meta"]["family"] == made.family
    types = {node["name"]: node["type"] for node in shown["nodes"]}
    name, expected = SPIKES[made.family]
    assert [types[f"blocks.{i}.{name}"] for i in (0, 1)] == [expected] * 2
    states = LAYERS * WIDTH * (2 * MODES + KEPT[made.family]) + CLASSES
    assert shown["states"] == states
    assert shown["without_kernel"] == []


def test_show_names_what_has_no_kernel(neurossm, made):
    with patch.dict(FORMS):
        del FORMS[Sum], FORMS[Accumulate]
        shown = neurossm("show", made.integer)
    types = {name: type(node) for name, node in load(made.integer).nodes.items()}
    names = [name for name in types if types[name] in (Sum, Accumulate)]
    assert len(names) >= 2 and shown.status == 0
    assert f"no kernel, the engines run its own steps: {', '.join(names)}" in shown.out


@pytest.mark.parametrize("engine", ["reference", "fast"])
def test_verify_replays_every_value(neurossm, made, engine):
    document = neurossm("verify", made.integer, "--engine", engine, "--json").document
    graph = load(made.integer)
    values = sum(node.out_channels for node in graph.nodes.values())
    states = sum(node.states for node in graph.nodes.values())
    assert (document["vectors"], document["mismatches"]) == (3, 0)
    assert document["values_compared"] == 3 * (STEPS * values + states)


def test_engines_write_equal_traces(neurossm, made, tmp_path):
    for engine in ("reference", "fast"):
        ran = neurossm("run", made.integer, "--engine", engine, *DATA, "--trace",
                       tmp_path / engine, "--json")  # fmt: skip
        assert ran.status == 0 and ran.document["steps"] == STEPS
    same = neurossm("diff", tmp_path / "reference", tmp_path / "fast", "--json")
    assert same.status == 0 and same.document["mismatches"] == 0
    rounded = neurossm("diff", made.floating, made.integer, *DATA, "--json")
    assert rounded.status == 0 and not rounded.document["exact"]


def test_profile_counts_spikes_and_no_products_of_weights_with_them(neurossm, made):
    document = neurossm("profile", made.integer, *DATA, "--json").document
    assert 0 < document["energy"]["low_j"] < document["energy"]["high_j"]
    mixing = {"gsu": ("unit.n", "unit.m"), "prf": ("mix", "spatial_mix"),
              "d-rf": ("mix", "spatial_mix")}  # fmt: skip
    for name in mixing.get(made.family, ("mix.value", "mix.gate")):
        count = document["counts"][f"blocks.0.{name}"]
        assert count["syn_ops"] > 0 and count["synaptic_multiplies"] == 0


@pytest.mark.parametrize(
    ("recipe", "change", "said"),
    [
        ("gsu-digits", 'model.threshold="maximum"', 'train with model.threshold = "constant"'),
        ("gsu-digits", "model.prenorm=false", "train with model.prenorm = true"),
        ("spikingssm-digits", "model.bidirectional=true",
         "expected a causal network, got a bidirectional one; train its causal counterpart"),
        ("spike-ssm-digits", 'model.norm="layer"', "got LayerNorm; train with BatchNorm1d"),
        ("prf-digits", "model.prenorm=false", "train with model.prenorm = true"),
        ("d-rf-digits", "model.bidirectional=true", "expected a causal network, got"),
    ],
    ids=lambda value: value.partition("=")[0],
)  # fmt: skip
def test_what_cannot_be_deployed_trains_but_is_refused_by_name(
    neurossm, tmp_path, recipe, change, said
):
    run = tmp_path / "run"
    assert neurossm("train", recipe, *sets(change), "--out", run).status == 0
    ended = neurossm("export", run, "-o", tmp_path / "m.nssm")
    assert ended.status == 2 and said in ended.err and ended.err.count("\n") == 1
    assert not (tmp_path / "m.nssm").exists()
