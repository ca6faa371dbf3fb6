"""``neurossm train --estimate``: what is said, and what is refused."""

from __future__ import annotations

import pytest

SETS = ("--set=model.width=8", "--set=train.batch=16")


def test_an_estimate_trains_nothing(neurossm, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = neurossm("train", "gsu-digits", *SETS, "--estimate")
    assert said.status == 0, said.err
    found = neurossm("train", "gsu-digits", *SETS, "--estimate", "--json").document
    assert found["fits"] is True and found["batch"] == 16
    assert f"parameters: {sum(found['parameters'].values()):,} (encoder 16, " in said.out
    assert f"steps per epoch: {(1437 - 144) // 16}, batches of 16 of 1,293 sequences" in said.out
    assert "nothing is scaled" in said.out
    assert not list(tmp_path.iterdir())


def test_data_of_ones_own_are_learned_first(neurossm, tmp_path):
    import numpy as np

    rng = np.random.default_rng(0)
    path = tmp_path / "mine.npz"
    np.savez(path, train_inputs=rng.normal(size=(40, 12, 3)), train_labels=rng.integers(0, 4, 40))
    done = neurossm("train", "gsu", "--data", path, "--set=model.width=8", "--estimate", "--json")
    assert done.status == 0, done.err
    assert done.document["parameters"]["encoder"] == 3 * 8 + 8
    assert done.document["parameters"]["decoder"] == 8 * 4 + 4
    assert done.document["steps"] == 12 and done.document["sequences"] < 40


def test_what_does_not_fit_is_shown_and_refused(neurossm):
    refused = neurossm("train", "gsu-digits", *SETS, "--estimate", "--memory", "0.00001")
    assert refused.status == 2
    assert "free memory needed: " in refused.out and "cpu has 10 kB" in refused.out
    assert "expected at most 10 kB, what is left there" in refused.err
    assert "the largest that fits is 0" in refused.err


def test_what_does_not_fit_is_one_document_that_says_so(neurossm):
    refused = neurossm("train", "gsu-digits", *SETS, "--estimate", "--memory", "0.00001", "--json")
    assert refused.status == 2 and refused.document["fits"] is False
    assert f"neurossm: {refused.document['error']}\n" == refused.err
    again = neurossm("train", "gsu-digits", "--estimate", "--memory", "-1", "--json")
    assert list(again.document) == ["error"]  # of the next command in this process


@pytest.mark.parametrize(
    ("given", "said"),
    [(("--estimate", "--resume"), "--resume cannot be combined with --estimate"),
     (("--estimate", "--poles", "q12"), "--poles cannot be combined with --estimate"),
     (("--estimate", "--weights", "0"), "--weights cannot be combined with --estimate"),
     (("--memory", "8"), "--memory requires --estimate"),
     (("--estimate", "--memory", "-1"), "memory: expected more than 0 GB"),
     (("--estimate", "--set=train.device=cuda:9"), "train device: expected cuda:9")],
)  # fmt: skip
def test_options_that_mean_nothing_are_refused(neurossm, given, said):
    refused = neurossm("train", "gsu-digits", *given)
    assert refused.status == 2 and said in refused.err


def test_under_torchrun_one_process_says_what_each_needs(neurossm, monkeypatch):
    for name, value in {"TORCHELASTIC_RUN_ID": "1", "WORLD_SIZE": "2", "RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    other = neurossm("train", "gsu-digits", *SETS, "--estimate", "--json")
    assert (other.status, other.out) == (0, "")
    monkeypatch.setenv("RANK", "0")
    first = neurossm("train", "gsu-digits", *SETS, "--estimate")
    assert "per process; 2 processes share a batch of 16" in first.out
    assert ", 8 sequences at once" in first.out
