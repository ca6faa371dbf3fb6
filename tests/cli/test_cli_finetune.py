"""`train --finetune-from RUN --qat`: what is tuned is what export and quantize write."""

import json

import pytest

from neurossm.store import load
from neurossm_models.train import load_model
from neurossm_workflows.train import make_qat_model

TINY = tuple(
    f"--set={item}"
    for item in ("data.limit=64", "data.valid=16", "train.batch=16", "model.width=8",
                 "model.state=8")
)  # fmt: skip
WIDTHS = ("--calibrate", "digits:train:16", "--poles", "q12", "--state", "20", "--messages", "16",
          "--weights", "6")  # fmt: skip


def test_what_was_tuned_is_what_export_and_quantize_write(neurossm, tmp_path):
    first, tuned = tmp_path / "first", tmp_path / "tuned"
    trained = neurossm("train", "spikingssm-digits", *TINY, "--set=train.epochs=1",
                       "--set=model.threshold=0.1", "--out", first)  # fmt: skip
    assert trained.status == 0, trained.err
    ended = neurossm("train", "spikingssm-digits", *TINY, "--set=model.threshold=0.1",
                     "--finetune-from", first, "--qat", *WIDTHS, "--out", tuned,
                     "--json")  # fmt: skip
    assert ended.status == 0, ended.err
    assert ended.document["finished"] and ended.document["epoch"] == 1

    floating, integer = tmp_path / "m.nssm", tmp_path / "m.int.nssm"
    assert neurossm("export", tuned, "-o", floating).status == 0
    assert neurossm("quantize", floating, *WIDTHS, "-o", integer).status == 0
    model, recipe = load_model(tuned)
    qat_model = make_qat_model(recipe)
    qat_model.calibrate(model)
    ours, written = qat_model.quantize(model), load(integer)
    assert dict(ours.nodes) == dict(written.nodes) and ours.edges == written.edges


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--qat",), "--qat requires --finetune-from RUN"),
        (("--finetune-from", "x"), "--finetune-from requires --qat"),
        (("--poles", "12"), "the width of integers requires --qat"),
        (("--calibrate", "digits:train:8"), "--calibrate requires --qat"),
        (("--finetune-from", "x", "--qat"), "run: expected a run folder or the name"),
        (("--finetune-from", "x", "--qat", "--poles", "q9"), "--poles: expected q15 | q12"),
        (("--finetune-from", "x", "--qat", "--set", "finetune.poles=3"),
         "did you mean 'pole_bits'?"),
    ],
)  # fmt: skip
def test_options_that_need_another_are_refused_by_name(neurossm, tmp_path, options, said):
    ended = neurossm("train", "binary-s4d-digits", *options, "--out", tmp_path / "run", "--json")
    assert ended.status == 2 and said in json.loads(ended.out)["error"]
    assert not (tmp_path / "run").exists()
