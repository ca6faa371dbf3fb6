"""Fine-tunes on the pretended device and on the CPU: ``finetuning_elsewhere.py FOLDER``.

The kernels of the integers run in Triton's interpreter, on what the tensors of the device hold.
Prints JSON: by family the losses before, of all steps and at the end, and the spike rate; and of
how many numbers the largest copy from the device to the CPU was.
"""

from __future__ import annotations

import json
import shutil
import sys
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import patch

import pretend_device
import small_sets
import torch

from neurossm_converters.backends.gpu.device import Device
from neurossm_converters.backends.gpu.launch import start
from neurossm_converters.backends.gpu.nodes import accumulate, diagonal_ssm, lif
from neurossm_models.train import load_recipe, train
from neurossm_models.train.finetuning import Finetuner, starting_network
from neurossm_models.train.own_data import facts_for
from neurossm_models.train.parallel import Group
from neurossm_workflows.train import finetune_changes, make_qat_model

torch.__future__.set_swap_module_params_on_conversion(True)  # a parameter becomes another class
STOP = 1  # of 3 steps
KINDS = {
    "spikingssm": ("model.delays=[1, 3]", 'model.readout="mean"'),
    "gsu": ('model.readout="sum"',),
    "binary-s4d": ('model.norm="none"', 'model.readout="last"', 'model.mixing="linear"'),
}


def unwrapped(module, name, tensors, *arguments, **constants):
    """Start a kernel on what tensors of the device hold; refuse others."""
    assert all(one is None or isinstance(one, pretend_device.Pretended) for one in tensors), name
    held = [None if one is None else one.held for one in tensors]
    start(module, name, held, *arguments, **constants)


def tuner(family: str, folder: Path, run: Path, place: torch.device) -> Finetuner:
    """Return what trains a family further, on a device."""
    data = f"data.path={folder / 'mine.npz'}"
    sets = [data, "data.task=classification", *small_sets.SMALL, "model.width=8",
            *KINDS[family]]  # fmt: skip
    float_run = folder / f"{family}-float"
    if not float_run.exists():
        forms = ["train.ssm=fft", "train.neuron=loop"]  # which take no time to compile
        train(family, [*sets, *forms, "train.epochs=6"], float_run)
    given = finetune_changes(family, str(float_run), True, "", {"pole_bits": 8}, [data])
    changes = [*given, *sets, "train.epochs=1", "train.lr=0.01", "train.ssm_lr=0.01"]
    facts = facts_for(load_recipe(family, changes))
    recipe = load_recipe(family, changes, facts)
    there = None if place.type == "cpu" else Device(place, interpreted=True)
    qat_model = make_qat_model(recipe, facts, there)
    torch.manual_seed(0)
    model = starting_network(recipe, qat_model, place)
    return Finetuner(recipe, run, model, qat_model, Group(device=place), facts)


def logged(run: Path) -> list[float]:
    """Return the losses of a run, before it, at each step and behind it, and its spike rates."""
    rows = [json.loads((run / "before.json").read_text())["loss"]]
    rows += [json.loads(line)["loss"] for line in (run / "steps.jsonl").read_text().splitlines()]
    log = json.loads((run / "log.jsonl").read_text())
    return [*rows, log["valid_loss"], *log["spike_rates"]]


def tuned(family: str, folder: Path) -> dict[str, list[float]]:
    """Fine-tune on the CPU, on the device, and begun on the device, to go on on the CPU."""
    cpu, there = torch.device("cpu"), pretend_device.HERE
    runs = {kind: folder / f"{family}-{kind}" for kind in ("cpu", "there", "resumed")}
    for place in (cpu, there):
        trainer = tuner(family, folder, runs["cpu" if place is cpu else "there"], place)
        trainer.prepare()
        trainer.run(STOP)
    shutil.copytree(runs["there"], runs["resumed"])
    for kind, run in runs.items():
        trainer = tuner(family, folder, run, there if kind == "there" else cpu)
        trainer.restore()
        trainer.run()
    return {kind: logged(run) for kind, run in runs.items()}


def main() -> None:
    """Do all of it and print it."""
    folder, found = Path(sys.argv[1]), {}
    small_sets.write(folder / "mine.npz", "classification", n=76)
    with ExitStack() as within:
        within.enter_context(pretend_device.Moving())
        for module in (accumulate, diagonal_ssm, lif):
            within.enter_context(patch.object(module, "start", unwrapped))
        for family in KINDS:
            found[family] = tuned(family, folder)
    print(json.dumps({"runs": found, "left": max(pretend_device.left)}))


main()
