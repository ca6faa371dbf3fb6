"""Publishes a finished run as a named checkpoint with a card of measured numbers."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

from neurossm.errors import FormatError, InputError
from neurossm_models.config import NetworkConfig, StateSpaceConfig
from neurossm_models.data.sets import SOURCES
from neurossm_models.families import FAMILIES
from neurossm_models.tasks.scores import ACCURACY, MAIN_VALUES, better, named
from neurossm_models.train.checkpoint import replace_file
from neurossm_models.train.evaluation import CHECKPOINTS, evaluate, load_model
from neurossm_models.train.finetune_config import BEFORE
from neurossm_models.train.logs import read_rows
from neurossm_models.train.measuring import Evaluation, as_json, from_json
from neurossm_models.train.modules import ModuleConfig
from neurossm_models.train.recipe import Recipe
from neurossm_models.train.records import FACTS, Kinds, check_record, parse, read_text

Log = list[dict[str, float]]
_FILES = ("recipe.toml", "weights.safetensors", "log.jsonl")
_LOG: Kinds = {"epoch": int, "step": int, "seconds": float}


def publish(run: str | Path, name: str, *, into: Path = CHECKPOINTS) -> Path:
    """Measure a finished run on the test set and copy it to the checkpoints of the source tree.

    The test set is read once: what was measured is kept in the run as ``test.json``.

    Parameters
    ----------
    run
        Run folder.
    name
        Name of the checkpoint, by which `load_model` finds it.
    into
        Folder of checkpoints.

    Returns
    -------
    Path
        The new folder: recipe, weights, log, ``test.json`` and ``MODEL_CARD.md``.

    Raises
    ------
    InputError
        If the run is not finished, or the name is not a plain file name.
    """
    if not name or Path(name).name != name or name.startswith("."):
        raise InputError("publish", expected="a plain name", got=repr(name))
    folder = Path(run)
    model, recipe = load_model(folder)
    log = read_log(folder / "log.jsonl")
    epochs = recipe.train.whole_epochs(int(log[0]["step"])) if log else recipe.train.epochs
    main = measured_by(log)
    ties = bool(recipe.data.path)
    waited = len(log) - int(_best(log, main, ties)["epoch"]) if log else 0
    ended_early = recipe.train.patience and waited >= recipe.train.patience
    if len(log) != epochs and not ended_early:
        got = f"{len(log)} of {epochs} epochs"
        remedy = "resume it to its end first"
        raise InputError(str(folder), expected="a finished run", got=got, remedy=remedy)
    test = measured_once(folder)
    parameters = sum(parameter.numel() for parameter in model.parameters())
    target = into / name
    for file in _FILES:
        replace_file(target / file, (folder / file).read_bytes())
    replace_file(target / "test.json", (folder / "test.json").read_bytes())
    if recipe.data.path:
        replace_file(target / FACTS, (folder / FACTS).read_bytes())
    history = read_history(folder)
    if history:
        replace_file(target / "start.jsonl", (folder / "start.jsonl").read_bytes())
    card = model_card(name, recipe, log, test, parameters, history, _before(folder, main))
    replace_file(target / "MODEL_CARD.md", card.encode())
    return target


def _before(folder: Path, main: str) -> float | None:
    path = folder / BEFORE
    if not path.exists():
        return None
    where = str(path)
    record = check_record(parse(read_text(path), where, "JSON"), {"count": int}, where)
    if main == ACCURACY:
        return float(check_record(record, {main: float}, where)[main])
    return from_json(record, where).value


def measured_by(log: Log) -> str:
    """Return the name of the value that chose the best epoch of a log."""
    known = [f"valid_{name}" for name in MAIN_VALUES]
    names = [name for line in log for name in line if name in known]
    return names[0].removeprefix("valid_") if names else ACCURACY


def _best(log: Log, main: str, ties: bool) -> dict[str, float]:
    """Return the line of the best epoch; of equal ones that of the least loss, or the first."""
    found = log[0]
    for line in log[1:]:
        value, before = line[f"valid_{main}"], found[f"valid_{main}"]
        less = ties and value == before and _loss(line) < _loss(found)
        if better(main, value, before) or less:
            found = line
    return found


def _loss(line: dict[str, float]) -> float:
    return line.get("valid_loss", math.inf)


def model_card(
    name: str,
    recipe: Recipe,
    log: Log,
    test: Evaluation,
    parameters: int,
    history: Log | None = None,
    before: float | None = None,
    integer: str = "",
    license_row: str = "",
) -> str:
    """Return the card of a checkpoint as Markdown; every number in it was measured.

    `history` is the log of what the run started from, if it did; `before` is what the integers
    reached on the validation part before the first step of QAT; `integer` is what they reached on
    the test part, and `license_row` a row that says the license, if there is one.
    """
    main = test.main
    best = _best(log, main, bool(recipe.data.path))
    key = f"valid_{main}"
    if before is not None and not better(main, best[key], before):
        best = {key: before, "epoch": 0}
    data, config = recipe.data, recipe.train
    minutes = train_minutes(log)
    about, network = _network(recipe)
    spikes = ", ".join(f"{rate:.1%}" for rate in test.spike_rates)
    what = "spike rate (spikes per neuron per time step)"
    rates = f"| {what} | {spikes} (blocks in order, on the test set) |\n"
    return f"""# {name}

{about["title"]}

{network["what"]}, trained by neurossm from `recipe.toml`.

| | |
|---|---|
| data | {Path(data.title).name}; {_validation(recipe)} |
{network["rows"]}| parameters | {parameters:,} |
{_reached(test)}{_row("integer test accuracy", integer)}\
| validation {named(main)} | {_value(main, best[key])}, epoch \
{best["epoch"]:.0f} of {len(log)} |
{rates if spikes else ""}| training | {len(log)} epochs, {log[-1]["step"]} steps of \
{config.batch} sequences, {minutes:.0f} min in training steps |
{_started(recipe, history or [])}{_finetuned(recipe)}{license_row}
## Use

{_usage(name, recipe)}
## Limitations

One run with one seed ({config.seed}). {network["numbers"]}\
Precision: {_precision(config.precision)}. Not tested on other data.

## Sources and files

{about["more"]}Files: `weights.safetensors` (best epoch), `recipe.toml` (every setting), `log.jsonl`
(one line per epoch), `test.json` (the measurement above).
"""


def _row(name: str, value: str) -> str:
    return f"| {name} | {value} |\n" if value else ""


def _usage(name: str, recipe: Recipe) -> str:
    """Return how to use a checkpoint: commands for one of ours, Python for others."""
    python = f"""```python
from neurossm_models.train import load_model

model, recipe = load_model("{name}")  # a torch.nn.Module in evaluation mode
```
"""
    if recipe.data.path or isinstance(recipe.model, ModuleConfig) or not recipe.model.causal:
        return python
    data = recipe.data.name
    source = SOURCES[data].fetched_as
    fetch = f"neurossm data fetch {source}\n" if source else ""
    return f"""```sh
pip install 'neurossm[torch,data]'
{fetch}neurossm export {name} -o {name}.nssm
neurossm quantize {name}.nssm --calibrate {data}:train:512 -o {name}.int.nssm
neurossm run {name}.int.nssm --data {data}:test
```

In PyTorch:

{python}"""


def _network(recipe: Recipe) -> tuple[dict[str, str], dict[str, str]]:
    """Return what the card says about the family, and about this network."""
    model = recipe.model
    if isinstance(model, ModuleConfig):
        given = ", ".join(f"{key} {value}" for key, value in model.arguments.items()) or "none"
        rows = f"| network | the module `{model.module}`; arguments: {given} |\n"
        about = {"title": "A module of one's own.", "more": ""}
        return about, {"what": "A network", "rows": rows, "numbers": ""}
    about = FAMILIES[model.family].about()
    about["more"] = (
        f"Source: {about['Source']}\n\nDeviations from the paper: {about['Deviations']}\n\n"
    )
    direction = "causal" if model.causal else "bidirectional (not causal, not deployable)"
    return about, {
        "what": f"A sequence {_doing(recipe)}, {direction}",
        "rows": f"| network | {model.family}: {model.shape} |\n| settings | {_settings(model)} |\n",
        "numbers": "The state space layers and the residual stream are\nreal-valued. ",
    }


def _doing(recipe: Recipe) -> str:
    kind = recipe.data.task
    return "model" if "regression" in kind or kind == "next-step" else "classifier"


def _reached(test: Evaluation) -> str:
    """Return the rows of the card that say what was measured on the test part."""
    if test.main == ACCURACY and test.accuracy is not None:
        first = f"float test accuracy | {test.accuracy:.2%} ({test.correct} of {test.count})"
        unit = "nats"
    else:
        assert test.scores is not None
        first = f"test scores | {test.scores.text()} on {test.count} answers"
        unit = "nats" if test.scores.kind == "multilabel" else "(squared deviations)"
        unit = "nats" if test.main == "perplexity" else unit
    return f"| {first}, measured once, afterwards |\n| test loss | {test.loss:.4f} {unit} |\n"


def _value(main: str, value: float) -> str:
    return f"{value:.2%}" if main == ACCURACY else f"{value:.4g}"


def _precision(name: str) -> str:
    products = f", matrix products in {name}" if name != "float32" else ""
    return f"32-bit floating point{products}"


def train_minutes(log: Log) -> float:
    """Return the minutes in training steps of a log: without evaluation, without start-up."""
    return sum(line["seconds"] for line in log) / 60


def _validation(recipe: Recipe) -> str:
    data = recipe.data
    if data.path:
        cut = f"cut off by {data.split_by}" if data.split_by else "cut off where it has none"
        return (
            f"a validation part, {cut} ({data.valid:.0%}, seed {data.split_seed}), chose the epoch"
        )
    if not data.valid:
        return "its own validation part chose the epoch"
    size = f"{data.valid:,}" if data.valid >= 1 else f"{data.valid:.0%} of the"
    return f"{size} training sequences chose the epoch (validation part)"


def _started(recipe: Recipe, history: Log) -> str:
    """Return the row of the card that says what a run started from, if it did."""
    start = recipe.finetune.run if recipe.finetune else recipe.train.start
    if not start:
        return ""
    before = f"{len(history)} epochs, {train_minutes(history):.0f} min in training steps"
    return f"| started from | the weights of the run `{Path(start).name}`: {before} |\n"


def _finetuned(recipe: Recipe) -> str:
    """Return the row of the card that says so where a network was fine-tuned on the integers."""
    config = recipe.finetune
    if config is None:
        return ""
    return f"""| quantization-aware training (QAT) | from `{Path(config.run).name}`, ranges from \
{config.calibrate}; validation accuracy is that of the integers; poles {config.pole_bits}, weights \
{config.weight_bits}, state {config.state_bits}, activations {config.activation_bits} bits |
"""


def _settings(model: NetworkConfig) -> str:
    """Return what the family adds to the shared settings, and which of those are not usual."""
    shared = StateSpaceConfig if isinstance(model, StateSpaceConfig) else NetworkConfig
    usual = {field.name: field.default for field in dataclasses.fields(shared)}
    own = [field.name for field in dataclasses.fields(model) if field.name not in usual]
    values = {name: getattr(model, name) for name in own}
    said = [f"{name} {_shown(value)}" for name, value in values.items() if value != ()]
    for name in ("norm", "prenorm", "dropout", "train_b", "readout", "vocabulary"):
        if name in usual and getattr(model, name) != usual[name]:
            said.append(f"{name} {_shown(getattr(model, name))}")
    return ", ".join(said)


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return str(list(value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def measured_once(folder: Path) -> Evaluation:
    """Return what a run reached on the test part, from ``test.json``; measured if there is none."""
    kept = folder / "test.json"
    if not kept.exists():
        measured = as_json(evaluate(folder, "test"))
        replace_file(kept, (json.dumps(measured, indent=1) + "\n").encode())
    try:
        return from_json(parse(read_text(kept), str(kept), "an evaluation"), str(kept))
    except FormatError as error:
        remedy = "remove it to measure again"
        expected, got = error.expected, error.got
        raise FormatError(error.where, expected=expected, got=got, remedy=remedy) from None


def read_history(folder: Path) -> Log:
    """Return the log of what a run started from, empty if it started from fresh weights."""
    kept = folder / "start.jsonl"
    return read_log(kept) if kept.exists() else []


def read_log(path: Path) -> Log:
    """Return the lines of ``log.jsonl``; raises as `read_rows`."""
    records = [record for _, record in read_rows(path, _LOG)]
    kinds: dict[str, type] = {**_LOG, f"valid_{measured_by(records)}": float}
    if any("valid_loss" in record for record in records):
        kinds["valid_loss"] = float
    return [record for _, record in read_rows(path, kinds)]
