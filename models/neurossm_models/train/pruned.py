"""Pruning a trained run in one go: a run of its own, with the smallest weights at 0."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch

from neurossm.errors import InputError
from neurossm.sparsity import LayerDensity, check_sparsity, chosen, densities_of, masks
from neurossm_models.data.copies import bounded_content
from neurossm_models.train import checkpoint as ck
from neurossm_models.train.evaluation import load_facts, load_model, measure, own_facts, run_folder
from neurossm_models.train.measuring import Evaluation
from neurossm_models.train.pruning import complex_rows, prunable, record
from neurossm_models.train.recipe import to_toml
from neurossm_models.train.records import FACTS, MOST_BYTES
from neurossm_models.train.start import check_new
from neurossm_models.train.trainer import split_data


@dataclass(frozen=True)
class PrunedRun:
    """What pruning a run left of it.

    Attributes
    ----------
    folder
        The new run.
    layers
        What each layer keeps.
    before, after
        What the network reached on the validation part, and what it reaches now.
    """

    folder: str
    layers: tuple[LayerDensity, ...]
    before: Evaluation
    after: Evaluation


def prune_run(
    run: str | Path,
    out: str | Path,
    sparsity: float,
    scope: str = "erk",
    layers: Iterable[str] = (),
) -> PrunedRun:
    """Set the smallest weights of a trained run to 0, and write what is left as another run.

    Its recipe starts from it: training with it goes on, and the zeros stay.

    Parameters
    ----------
    run
        Run folder, or the name of a published checkpoint.
    out
        Folder of the new run.
    sparsity, scope
        Share of the weights that becomes 0, and where magnitudes are compared; see
        `neurossm.sparsity.masks`.
    layers
        Names of modules, or patterns; none: every `torch.nn.Linear` and what modules declare.

    Raises
    ------
    InputError
        If there is no such run, or no such layer; for another sparsity; if the folder holds a run.
    FormatError
        If the weights of the run are damaged.
    """
    check_sparsity("sparsity", sparsity, scope)
    model, recipe = load_model(run)
    folder, source, facts = Path(out), run_folder(run), load_facts(run)
    try:
        check_new(folder, source / "recipe.toml")
    except InputError as error:  # its remedies are those of training
        where, expected, got = error.where, error.expected, error.got
        remedy = "name another folder"
        raise InputError(where, expected=expected, got=got, remedy=remedy) from None
    every = prunable(model)
    weights = {n: every[n].detach().numpy() for n in chosen("layers", every, layers)}
    found = masks(weights, sparsity, scope, complex_rows(model))
    _, valid = split_data(recipe, own_facts(recipe, facts))
    before = measure(model, valid, facts=facts, carry=recipe.train.carry)
    with torch.no_grad():
        for name, kept in found.items():
            every[name].mul_(torch.from_numpy(kept))
    after = measure(model, valid, facts=facts, carry=recipe.train.carry)
    rows = densities_of({name: every[name].detach().numpy() for name in found})
    start = dataclasses.replace(recipe.train, start=str(out), sparsity=0.0)
    anew = dataclasses.replace(recipe, train=start, finetune=None)
    ck.replace_file(folder / "recipe.toml", to_toml(anew).encode())
    for name in (FACTS, "start.jsonl", "log.jsonl"):
        _copied(source / name, folder / ("start.jsonl" if name == "log.jsonl" else name))
    best = {after.main: after.value, "epoch": 0, "spike_rates": list(after.spike_rates)}
    ck.save_tensors(folder / "weights.safetensors", model.state_dict(), best)
    record(folder, found, run=str(run), sparsity=sparsity, scope=scope,
           densities={row.name: row.density for row in rows},
           metric=after.main, before=before.value, after=after.value)  # fmt: skip
    return PrunedRun(str(out), rows, before, after)


def _copied(source: Path, target: Path) -> None:
    """Copy a file of a run if it is there, behind what is there already."""
    if source.is_file():
        there = target.read_bytes() if target.is_file() else b""
        ck.replace_file(target, there + bounded_content(source, MOST_BYTES, empty=True))
