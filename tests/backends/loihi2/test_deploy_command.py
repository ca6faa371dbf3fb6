"""``neurossm deploy``: without lava-loihi, and with a stand-in for it the whole way."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from neurossm.fixed import Fixed
from neurossm.graph import Graph
from neurossm.nodes import Input, Output, Threshold
from neurossm.store import load, load_golden, save
from neurossm_converters.backends.lava import status

real_loihi = status().loihi_installed
without = pytest.mark.skipif(real_loihi, reason="there is a lava-loihi here")
with_lava = pytest.mark.skipif(not status().usable, reason="no Lava")


@without
def test_a_dry_run_says_what_would_be_done_and_writes_nothing(golden, deploy, tmp_path):
    graph = golden("ssm")
    done = deploy(graph, "--dry-run", "--slurm-partition", "oheogulch")
    assert done.status == 0, done.err
    assert f"would write a bundle into {tmp_path / 'ssm-loihi2'}" in done.out
    assert "SLURM=1 LOIHI_GEN=N3B3 PARTITION=oheogulch" in done.out and "wrote nothing" in done.out
    assert "lava-loihi is not installed here" in done.err and "NameError" not in done.err
    assert list(tmp_path.iterdir()) == [graph]


@without
def test_without_lava_loihi_it_says_so_and_writes_the_bundle(golden, deploy, tmp_path):
    done = deploy(golden("ssm"), "--json")
    assert done.status == 0, done.err
    assert done.err.count("\n") == 1 and "so nothing was run on a chip" in done.err
    document = done.document
    assert document["bundle"] == str(tmp_path / "ssm-loihi2") and document["ran"] is None
    assert len(document["files"]) == sum(p.is_file() for p in tmp_path.glob("ssm-loihi2/**/*"))
    again = deploy(golden("ssm"))
    assert again.status == 2 and "new or empty folder" in again.err


@pytest.mark.parametrize(
    "options",
    [("--slurm-partition", "p"), ("--slurm-board", "b"), ("--loihi-gen", "N3C1"), ("--profile",)],
    ids=lambda o: o[0],
)
def test_an_option_that_the_simulator_would_ignore_is_refused(golden, deploy, options):
    done = deploy(golden("ssm"), "--target", "lava", *options)
    assert done.status == 2 and done.err.count("\n") == 1
    assert done.err.startswith(f"neurossm: {options[0]} requires --target loihi2")


def test_a_dry_run_refuses_the_folder_that_a_run_would(golden, deploy, tmp_path):
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "mine").write_text("keep me")
    for more in ((), ("--dry-run",)):
        done = deploy(golden("ssm"), "--bundle", kept, *more)
        assert done.status == 2 and done.err.count("\n") == 1 and not done.out
        assert "expected a new or empty folder, got one with something in it" in done.err
    assert [path.name for path in kept.iterdir()] == ["mine"]


def test_a_float_graph_is_refused(deploy, tmp_path):
    nodes = {
        "x": Input(channels=1, out=Fixed(8)),
        "spike": Threshold(theta=np.array([0.5])),
        "out": Output(channels=1, out=Fixed.binary()),
    }
    floating = Graph(nodes, (("x", "spike"), ("spike", "out")))
    save(tmp_path / "float.nssm", floating)
    done = deploy(tmp_path / "float.nssm", "--dry-run")
    assert done.status == 2 and "expected an integer graph, got a float graph" in done.err


def test_what_lava_cannot_express_is_refused_before_anything_is_written(golden, deploy, tmp_path):
    done = deploy(golden("ssm"), "--processes", "lava")
    assert done.status == 2 and done.err.count("\n") == 1
    assert "node 'ssm' (DiagonalSSM) cannot be Lava's S4d" in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["ssm.int.nssm"]


@with_lava
@without
@pytest.mark.lava
def test_without_neuro_core_models_it_refuses_and_names_them(golden, deploy):
    # Lava would take the CPU models for the host, and say nothing
    done = deploy(golden("ssm"), fake=True)
    assert done.status == 2 and done.err.count("\n") == 1
    assert "no neuro-core model is registered for Affine, DiagonalSSM, Threshold;" in done.err


@with_lava
@without
@pytest.mark.lava
def test_the_whole_way_to_the_chip_with_a_stand_in(golden, deploy, tmp_path):
    """Lava's own Loihi2HwCfg chooses the models; one golden output is wrong, and is found."""
    graph = golden("ssm")
    loaded = load(graph)
    first, last = load_golden(graph, loaded)
    values = {name: np.array(array) for name, array in last.values.items()}
    values["out"][7, 1] += 5
    save(graph, loaded, (first, dataclasses.replace(last, values=values)))
    done = deploy(
        graph, "--bundle", tmp_path / "kept", "--models", "fake_models", "--profile", "--json",
        fake=True,
    )  # fmt: skip
    assert done.status == 1, done.err
    ran = done.document["ran"]
    assert (tmp_path / "kept/run.py").exists() and not done.document["missing"]
    # every neuron and synapse was chosen as a neuro-core model, host and chip were connected
    assert ran["models"] == {
        "Source": "SourceModel", "Sink": "SinkModel", "Affine": "NcAffineModel",
        "DiagonalSSM": "NcDiagonalSSMModel", "Threshold": "NcThresholdModel",
        "Dense": "NcModelDense", "Sparse": "NcModelSparse",
    }  # fmt: skip
    # outputs (2, 24, 2), and re and im (3, 2) of the last sample; one is wrong
    assert (ran["compared"], ran["differing"], ran["equal"]) == (2 * 24 * 2 + 2 * 6, 1, False)
    # encode, ssm, spike, decode; two samples of 24 steps
    assert (ran["latency"], ran["network_steps"]) == (4, 2 * 24 + 4)
    # and nobody takes it for a chip
    assert ran["on"].startswith("stand-in for a Loihi 2") and ran["chip"] is False
    assert ran["profile"] == {} and "nothing was measured" in done.err
