"""Text: recipes, chips, results, evaluations, facts, logs, tables of sweeps."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import numpy as np
from hostile.fuzzing.formats import Format
from hostile.fuzzing.text_edits import json_text, toml

MODELS = Path(__file__).parents[3] / "models" / "neurossm_models"


def _recipes() -> tuple[bytes, ...]:
    folder = MODELS / "recipes"
    names = ("binary-s4d-digits", "gsu-digits", "spike-ssm-text", "spikingssm-speech-commands")
    finetune = b'\n[finetune]\nrun = "binary-s4d-digits"\ncalibrate = "digits:train:64"\n'
    found = [(folder / f"{name}.toml").read_bytes() for name in names]
    own = (folder / "own" / "spikingssm.toml").read_bytes()
    own = own.replace(b"[data]", b'[data]\npath = "my.npz"\nper_channel = "yes"')
    module = b'[data]\npath = "x/"\n[model]\nmodule = "m.py:f"\n[model.arguments]\nw = [1, 2.5]\n'
    module += own[own.index(b"[train]") :]
    return (*found, found[0] + finetune, own, module)


def _read_recipe(path: Path) -> object:
    from neurossm_models.train.recipe import load_recipe, to_toml

    return to_toml(load_recipe(path))


def _chips() -> tuple[bytes, ...]:
    folder = resources.files("neurossm.hardware")
    return tuple((folder / f"{name}.toml").read_bytes() for name in ("cmos45", "loihi2"))


def _read_chip(path: Path) -> object:
    from neurossm.hardware import load_hardware

    return load_hardware(path)


def _results() -> tuple[bytes, ...]:
    return ((MODELS / "checkpoints" / "results.json").read_bytes(),)


def _read_results(path: Path) -> object:
    from neurossm_models.train.results import read_results, table

    return table(read_results(path))


def _evaluations() -> tuple[bytes, ...]:
    from neurossm_models.tasks import Scorer
    from neurossm_models.train.measuring import Evaluation, as_json

    found = [(MODELS / "checkpoints" / "binary-s4d-digits" / "test.json").read_bytes()]
    for kind, labels in (("classification", np.array([0, 1])), ("regression", np.ones((2, 2)))):
        scorer = Scorer(kind, 2, ("a", "b"))
        scorer.add(np.eye(2), labels)
        scores = scorer.result()
        accuracy = scores.values.get("accuracy")
        right = None if accuracy is None else 2
        measured = Evaluation("x:test", 2, right, accuracy, 0.5, (0.1,), scores)
        found.append(json.dumps(as_json(measured)).encode())
    return tuple(found)


def _read_evaluation(path: Path) -> object:
    from neurossm_models.train.publishing import _reached, measured_once

    found = measured_once(path.parent)
    if found.accuracy is not None:
        return f"{found.accuracy:.2%} {found.loss:.4f} {found.count + found.correct:,}"
    return _reached(found)


def _facts() -> tuple[bytes, ...]:
    from neurossm.fixed import Scaling, TargetScaling
    from neurossm_models.data import Task, task, task_to_json

    own = Task(9, 1.0, 1, kind="regression", features=2, target=TargetScaling([2.0], [1.0]),
               scaling=Scaling([0.5, 1], [0, 1], [1, 2], 12), channel_names=("x", "y"))  # fmt: skip
    return tuple(task_to_json(facts).encode() for facts in (own, task("wikitext103")))


def _read_facts(path: Path) -> object:
    from neurossm_models.data import task_to_json
    from neurossm_models.train.evaluation import read_facts

    return task_to_json(read_facts(path))


def _logs() -> tuple[bytes, ...]:
    log = (MODELS / "checkpoints" / "binary-s4d-digits" / "log.jsonl").read_bytes()
    return (b"".join(log.splitlines(keepends=True)[:4]),)


def _read_log(path: Path) -> object:
    """Read a log and do with it what publishing does."""
    from neurossm_models.train.publishing import read_log, train_minutes

    log = read_log(path)
    best = max(log, key=lambda line: line["valid_accuracy"], default=None)
    return train_minutes(log), best, [line["step"] + line["epoch"] for line in log]


def _sweeps() -> tuple[bytes, ...]:
    import tempfile

    from neurossm_workflows.sweep_table import COLUMNS, SweepFile, SweepRow

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "sweep.csv"
        table = SweepFile(path)
        widths = (16, 8, 24, 24)
        table.add(SweepRow("m.nssm", "mnist:test:9", "mnist:train:9", "loihi2", *widths, 9,
                           0.5, 1e-6, 2e-6, 0.1, 0, 1.5))  # fmt: skip
        table.add(SweepRow("m.nssm", "mnist:test:9", "mnist:train:9", "loihi2", 12, 8, 24, 24, 9,
                           problem="node 'x': a, \"quoted\""))  # fmt: skip
        assert len(COLUMNS) > 8
        return (path.read_bytes(),)


def _read_sweep(path: Path) -> object:
    from neurossm_workflows.sweep_table import SweepFile

    # a table killed in the middle of a line is repaired in its place; whole ones are only read
    content = path.read_bytes()
    if not content.endswith(b"\n") or not content.strip():
        return None
    return SweepFile(path).rows


FORMATS = (
    Format("recipe", "recipe.toml", _recipes, _read_recipe, (toml,), damage=0.3),
    Format("chip", "chip.toml", _chips, _read_chip, (toml,), damage=0.3),
    Format("results", "results.json", _results, _read_results, (json_text,), damage=0.3),
    Format("evaluation", "test.json", _evaluations, _read_evaluation, (json_text,), damage=0.3),
    Format("facts", "facts.json", _facts, _read_facts, (json_text,), damage=0.3),
    Format("log", "log.jsonl", _logs, _read_log, (json_text,), damage=0.4),
    Format("sweep", "sweep.csv", _sweeps, _read_sweep, (json_text,), damage=0.7),
)
