"""A command that found something wrong ends with 1, whatever else it wrote."""

from __future__ import annotations

import importlib

SETS = ("train.epochs=1", "train.batch=16", "data.limit=32", "data.held_out=16", "model.width=2",
        "model.state=2")  # fmt: skip


def test_a_demo_in_which_one_value_of_lava_differs_ends_with_1(neurossm, tmp_path, monkeypatch):
    demo = importlib.import_module("neurossm_cli.demo")
    found = demo.Parity(1000, 1, "'encoder', step 3", 5.0, 7.0)
    monkeypatch.setattr(demo, "check_parity", lambda *_: found)
    run, out = tmp_path / "run", tmp_path / "demo"
    sets = [f"--set={item}" for item in SETS]
    assert neurossm("train", "binary-s4d-smnist", *sets, "--out", run).status == 0
    ended = neurossm("demo", "--checkpoint", run, "--samples", 1, "--lava-samples", 1,
                     "--out", out)  # fmt: skip
    assert ended.status == 1, ended.err
    assert "1,000 values of every node and step on 1 images" in ended.out
    assert ": 1 mismatches; first: 'encoder', step 3\n" in ended.out
    assert (out / "report.html").exists()


def test_a_doctor_who_misses_what_everything_needs_ends_with_1(neurossm, monkeypatch):
    doctor = importlib.import_module("neurossm_cli.doctor")
    part = {"name": "numpy", "found": "3.0", "remedy": "install numpy below 2.4"}
    for ok, needed_for, status in (
        (False, "everything", 1), (False, "the report", 0), (True, "everything", 0)
    ):  # fmt: skip
        one = {**part, "ok": ok, "needed_for": needed_for}
        monkeypatch.setattr(doctor, "_core", lambda one=one: [one])
        ended = neurossm("doctor", "--json")
        assert (ended.status, ended.document["ok"]) == (status, not status)
