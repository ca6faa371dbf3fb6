"""The results: measured by the command, one record a checkpoint, and a table written from them."""

import io
import json
from contextlib import redirect_stderr, redirect_stdout

import pytest

from neurossm.errors import FormatError
from neurossm_cli import main
from neurossm_models.train import load_model, publish, train
from neurossm_models.train.publishing import measured_once, model_card, read_log
from neurossm_models.train.results import (
    END,
    START,
    Result,
    read_results,
    updated,
    write_results,
    write_table,
)

KEYS = {
    "checkpoint", "task", "accuracy_float", "accuracy", "parameters", "spike_rates",
    "syn_ops_per_step", "energy_low_j", "energy_high_j", "train_minutes",
}  # fmt: skip
TINY = ["train.epochs=1", "data.limit=96", "data.valid=48", "train.batch=16",
        "model.width=8", "model.state=8"]  # fmt: skip
ONE = Result("a", "digits", 0.9, 0.875, 40, 1234, (0.1, 0.25), 567.8, 2e-6, 3.5e-5, 1.5)


def neurossm(*arguments):
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    return ended.value.code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return a folder of checkpoints, with a tiny one that is published."""
    folder = tmp_path_factory.mktemp("models") / "checkpoints"
    train("binary-s4d-digits", TINY, folder.parent / "run")
    publish(folder.parent / "run", "tiny", into=folder)
    (folder / "README.md").write_text(f"# Before\n\n{START}\nold\n{END}\n\nafter\n")
    return folder


def test_the_command_measures_a_checkpoint_and_writes_record_and_table(home):
    status, out, err = neurossm("results", "tiny", "--limit=40", "--folder", home, "--json")
    assert status == 0, err
    (row,) = json.loads(out)["results"]
    assert row == json.loads((home / "results.json").read_text())[0] and row.keys() >= KEYS
    folder = home / "tiny"
    # Each number by the commands that a user would call one after the other.
    floating, integer = home / "m.nssm", home / "m.int.nssm"
    assert neurossm("export", folder, "-o", floating)[0] == 0
    calibrate = ("--calibrate", "digits:train:512")
    assert neurossm("quantize", floating, "-o", integer, *calibrate)[0] == 0
    profile = json.loads(neurossm("profile", integer, "--data", "digits:test:40", "--json")[1])
    assert row["accuracy"] == profile["accuracy"] and row["test_sequences_int"] == 40
    assert row["syn_ops_per_step"] == profile["counts"]["total"]["syn_ops"] / 40 / 64
    assert (row["energy_low_j"], row["energy_high_j"]) == (
        profile["energy"]["low_j"], profile["energy"]["high_j"],
    )  # fmt: skip
    assert row["spike_rates"] == list(profile["metrics"]["spike_rates"].values())
    test = json.loads((folder / "test.json").read_text())
    assert row["accuracy_float"] == test["accuracy"] and test["count"] == 360
    log = json.loads((folder / "log.jsonl").read_text())
    assert row["train_minutes"] == pytest.approx(log["seconds"] / 60)
    model, _ = load_model(folder)
    assert row["parameters"] == sum(p.numel() for p in model.parameters())
    text = (home / "README.md").read_text()
    assert text.startswith(f"# Before\n\n{START}\n") and text.endswith(f"{END}\n\nafter\n")
    assert "| `tiny` | digits |" in text and "old" not in text and " of 40 |" in text


def test_a_second_run_changes_nothing_and_another_checkpoint_stays(home):
    other = Result(**{**vars(ONE), "checkpoint": "zebra"})
    write_results(home / "results.json", (other,))
    for _ in range(2):
        assert neurossm("results", "--limit=8", "--folder", home)[0] == 0
        files = [(home / name).read_bytes() for name in ("results.json", "README.md")]
        names = [row["checkpoint"] for row in json.loads(files[0])]
        assert names == ["tiny", "zebra"]  # one record each, however often
    assert neurossm("results", "tiny", "--limit=8", "--folder", home)[0] == 0
    assert files == [(home / name).read_bytes() for name in ("results.json", "README.md")]
    assert read_results(home / "results.json")[1] == other


def test_what_cannot_be_measured_is_named(home, tmp_path):
    status, _, err = neurossm("results", "tinny", "--folder", home)
    assert status == 2 and "expected a run folder" in err and err.count("\n") == 1
    status, _, err = neurossm("results", "--folder", tmp_path)
    assert status == 2 and "expected published checkpoints, got none" in err
    status, _, err = neurossm("results", "--limit=-1", "--folder", home)
    assert status == 2 and "--limit: expected at least 0" in err


def test_records_are_replaced_by_checkpoint_and_survive_the_file(tmp_path):
    path = tmp_path / "results.json"
    assert read_results(path) == ()
    better = Result(**{**vars(ONE), "accuracy": 0.9})
    other = Result(**{**vars(ONE), "checkpoint": "b"})
    write_results(path, updated(updated((other,), ONE), better))
    assert read_results(path) == (better, other)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[{}]", "'checkpoint'"),
        ("{", "Expecting property name"),
        ('[{"checkpoint": 3}]', "record 0 checkpoint: expected a text"),
        ("5", "expected a list of records, one a checkpoint, got int"),
    ],
)
def test_a_damaged_file_of_results_is_refused(tmp_path, content, message):
    path = tmp_path / "results.json"
    path.write_text(content)
    with pytest.raises(FormatError, match=message):
        read_results(path)


def test_the_table_says_what_the_records_say(tmp_path):
    path = tmp_path / "README.md"
    path.write_text(f"{START}\n{END}\n")
    write_table(path, (ONE,))
    row = next(line for line in path.read_text().splitlines() if "`a`" in line)
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "`a`", "digits", "90.00%", "87.50% of 40", "1,234", "10.0%, 25.0%", "568", "2 to 35 µJ",
        "2 min",
    ]  # fmt: skip
    written = path.read_bytes()
    write_table(path, (ONE,))
    assert path.read_bytes() == written
    for text in ("", START, f"{END}\n{START}", f"{START}{END}{START}{END}"):
        path.write_text(text)
        with pytest.raises(FormatError, match="once each"):
            write_table(path, (ONE,))


@pytest.mark.parametrize(
    ("family", "paper", "said"),
    [
        ("binary-s4d", "2401.00955", ("mixing glu", "place of the normalizations")),
        ("gsu", "2401.00955", ("fraction 0.15", "trained constant of each feature")),
        ("spikingssm", "2408.14909", ("tau 0.125", "released code computes a post-norm")),
        ("spike-ssm", "2410.17268", ("kappa 0.25", "all initial values are chosen here")),
        ("silif", "2506.06374", ("dt 0.004", "All states start at zero")),
        ("s5-rf", "2504.00719", ("blocks 8", "no node")),
    ],
)
def test_a_card_names_paper_settings_and_deviations_of_its_family(home, family, paper, said):
    from dataclasses import replace

    from neurossm_models.families import FAMILIES
    from neurossm_models.train import load_recipe

    recipe = replace(
        load_recipe(home.parent / "run" / "recipe.toml"), model=FAMILIES[family].config()
    )
    folder = home / "tiny"
    log = read_log(folder / "log.jsonl")
    card = model_card("x", recipe, log, measured_once(folder), 1234)
    text = " ".join(card.split())
    assert f"arXiv {paper}" in text and f"{family}: 2 layers, width 64" in text
    for words in said:
        assert words in text
    mixes = family not in ("gsu", "silif", "s5-rf")
    assert ("mixing" in text.partition("| parameters")[0]) == mixes
