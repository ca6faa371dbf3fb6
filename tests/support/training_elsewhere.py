"""Trains on the pretended device and on the CPU: ``training_elsewhere.py FOLDER``; prints JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pretend_device
import small_sets
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from neurossm_models.train import Trainer, load_recipe
from neurossm_models.train.own_data import facts_for
from neurossm_models.train.parallel import Group
from neurossm_models.train.trainer import RecipeTrainer

torch.__future__.set_swap_module_params_on_conversion(True)  # a parameter becomes another class


def by_recipe(
    folder: Path, device: torch.device, kind: str, *changes: str, then: torch.device | None = None
) -> list[float]:
    """Train in two goes; return the losses of all steps and of the validation part.

    The second go is on `then`.
    """
    folder.mkdir(exist_ok=True)
    data = small_sets.write(folder / f"{kind}.npz", kind)
    forms = ["train.ssm=fft", "train.neuron=loop"]  # what a GPU computes
    sets = [f"data.path={data}", f"data.task={kind}", *small_sets.SMALL, "train.epochs=2",
            "model.dropout=0.0", *forms, *changes]  # fmt: skip
    recipe = load_recipe("spikingssm", sets)
    facts = facts_for(recipe)
    recipe = load_recipe("spikingssm", sets, facts)
    run = folder / f"{kind}-{device.type}-{then}"
    for where, stop in ((device, 5), (then or device, None)):
        torch.manual_seed(0)
        trainer = RecipeTrainer(recipe, run, Group(device=where), facts)
        if stop is None:
            trainer.restore()
        trainer.run(stop)
    lines = (run / "steps.jsonl").read_text().splitlines()
    rows = (run / "log.jsonl").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines] + [
        json.loads(row)["valid_loss"] for row in rows
    ]


class Foreign(nn.Module):
    """A module of somebody else."""

    def __init__(self) -> None:
        super().__init__()
        self.up, self.norm, self.down = nn.Linear(1, 8), nn.BatchNorm1d(8), nn.Linear(8, 2)

    def forward(self, x: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        y = self.norm(torch.relu(self.up(x)).mean(1))
        return self.down(y * (lengths / lengths.max())[:, None])


def by_loader(folder: Path, device: torch.device) -> list[float]:
    """Train a module on a loader; return the losses."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(32, 5, 1, generator=generator)
    given = TensorDataset(x, (x.mean((1, 2)) > 0).long(), torch.randint(1, 6, (32,)))
    torch.manual_seed(0)
    run = folder / f"loader-{device.type}"
    Trainer(Foreign(), DataLoader(given, 8, shuffle=True), DataLoader(given, 8), out=run, epochs=2,
            device=device, class_weights=[1.0, 2.0], accumulate=2).fit()  # fmt: skip
    return [json.loads(line)["loss"] for line in (run / "steps.jsonl").read_text().splitlines()]


def main() -> None:
    """Do all of it twice and compare."""
    folder = Path(sys.argv[1])
    found = {}
    cpu, there = torch.device("cpu"), pretend_device.HERE
    for device, other in ((cpu, there), (there, cpu)):
        with pretend_device.Moving():
            found[device.type] = {
                "classification": by_recipe(folder, device, "classification",
                                            "train.class_weights=balanced"),
                "step-regression": by_recipe(folder, device, "step-regression"),
                "moved": by_recipe(folder, device, "step-regression", then=other),
                "next-step": by_recipe(folder, device, "next-step", "train.accumulate=2"),
                "data there": by_recipe(folder / "there", device, "next-step",
                                        "train.accumulate=2", "train.data_on=device"),
                "adaptive": by_recipe(folder / "adaptive", device, "next-step",
                                      "model.cutoffs=[1,3]"),
                "loader": by_loader(folder, device),
            }  # fmt: skip
    print(json.dumps(found))


main()
