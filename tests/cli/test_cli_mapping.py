"""``--ssm-mapping``: check, place and deploy plan the same neurons, unless they are told others."""

from __future__ import annotations

import inspect
import shutil
from pathlib import Path

import pytest

from neurossm.hardware import load_hardware
from neurossm.placement import DEFAULT_MAPPING, check, place, populations_of
from neurossm.store import load

GOLDEN = Path(__file__).parents[2] / "hw_tests" / "golden" / "ssm.nssm"


@pytest.fixture
def graph(tmp_path):
    path = tmp_path / "m.int.nssm"
    shutil.copyfile(GOLDEN, path)
    return path


def plans(neurossm, graph, *options):
    """What the three commands say of cores and mapping."""
    found = {}
    for command, more in (("check", ()), ("place", ()), ("deploy", ("--dry-run",))):
        done = neurossm(command, graph, *more, *options, "--json")
        assert done.status == 0, done.err
        document = done.document
        cores = document["cores"]
        found[command] = document["ssm_mapping"], cores if isinstance(cores, int) else len(cores)
    return found


def test_the_default_is_one_and_the_help_says_it(neurossm, graph):
    counts = {
        mapping: len(place(load(graph), load_hardware("loihi2"), ssm_mapping=mapping).cores)
        for mapping in ("state", "channel")
    }
    assert counts["state"] != counts["channel"], "the test would see no difference"
    found = plans(neurossm, graph)
    assert set(found.values()) == {(DEFAULT_MAPPING, counts[DEFAULT_MAPPING])}, found
    for command in ("check", "place", "deploy"):
        text = " ".join(neurossm(command, "--help").out.replace("│", " ").split())
        assert f"(default: {DEFAULT_MAPPING})" in text, command
    for function in (check, place, populations_of):
        assert inspect.signature(function).parameters["ssm_mapping"].default == DEFAULT_MAPPING


def test_the_default_asked_for_is_the_default(neurossm, graph):
    assert plans(neurossm, graph, "--ssm-mapping", "channel") == plans(neurossm, graph)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--ssm-mapping", "state"], "expected channel, as --processes ours makes it, got 'state'"),
        (
            ["--processes", "lava", "--ssm-mapping", "channel"],
            "expected state, as --processes lava makes it, got 'channel'",
        ),
    ],
)
def test_deploy_refuses_a_mapping_that_it_does_not_make(neurossm, graph, options, said):
    done = neurossm("deploy", graph, "--dry-run", *options)
    assert done.status == 2 and done.err.count("\n") == 1 and not done.out
    assert f"--ssm-mapping: {said}" in done.err
    assert "--processes ours has one neuron a channel, --processes lava one a state" in done.err
