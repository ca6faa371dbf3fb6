"""What `train --estimate` says of memory, beside what a training took: resident memory, on a CPU.

    python benchmarks/training_memory.py [RECIPE[,section.key=value...] ...]

Each runs in a process of its own: a few steps of the training loop, then its evaluation, on random
data of the recipe's shapes. Measured is how far the resident memory grew from before the first step
to its peak, where freed blocks are returned to the system, as where memory is short, and where they
are kept, as elsewhere (`neurossm_models.train.memory`).
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

RECIPES = (
    "binary-s4d-smnist,train.batch=128",
    "gsu-smnist,train.batch=128",
    "spikingssm-smnist,train.batch=128",
    "spike-ssm-smnist,train.batch=128",
    "binary-s4d-smnist,train.batch=1024,train.accumulate=4",
    "spikingssm-smnist-published",
    "spikingssm-text-causal,train.batch=32",
    "gsu-scifar,train.batch=64",
)
STEPS, SEQUENCES = 4, 256  # trained, and evaluated


def main(recipes: list[str]) -> None:
    from neurossm_models.train.estimates import estimate

    print("predicted MB  returned MB  ratio      kept MB  ratio  recipe")
    for recipe in recipes:
        name, *changes = recipe.split(",")
        found = estimate(name, changes)
        said = found.peak - found.weights  # which are there before
        row = f"{said / 1e6:12.1f}"
        for mode in ("returned", "kept"):
            took = int(subprocess.run(
                [sys.executable, __file__, "--took", mode, recipe], capture_output=True,
                text=True, check=True,
            ).stdout)  # fmt: skip
            row += f" {took / 1e6:12.1f} {said / took:6.2f}"
        print(f"{row}  {recipe}", flush=True)


def took(mode: str, recipe: str) -> int:
    """Return by how many bytes the resident memory of this process grew."""
    import torch

    from neurossm_models.data.registry import task
    from neurossm_models.tasks.losses import Loss
    from neurossm_models.train import load_recipe
    from neurossm_models.train.estimates.shapes import made_batch
    from neurossm_models.train.evaluation import measure, network_of
    from neurossm_models.train.loop import Loop
    from neurossm_models.train.memory import keep_freed_memory, return_freed_memory
    from neurossm_models.train.parallel import Group

    name, *changes = recipe.split(",")
    loaded = load_recipe(name, changes)
    facts = task(loaded.data.name)
    data = made_data(facts)

    class Steps(Loop):
        def _rest_of_epoch(self):
            for _ in range(STEPS):
                yield made_batch(loaded.model, facts, loaded.train.batch, facts.steps)

        def _measure(self):
            return measure(self.model, data)

        def save(self):
            pass

    torch.set_num_threads(2)
    loss = Loss(facts.kind, target=facts.target)
    network = network_of(loaded, facts)
    small = made_batch(loaded.model, facts, 2, 64)
    loss(network(small.x, small.lengths), small.labels)[0].backward()  # kernels are loaded
    loop = Steps(network, loaded.train, loss, "accuracy", STEPS, Path("none"), Group())
    keep_freed_memory() if mode == "kept" else return_freed_memory()
    before = resident("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    loop.run(STEPS)
    return resident("VmHWM") - before


def made_data(facts):
    """Return random data of the shapes that a registered data set has."""
    import numpy as np

    from neurossm_models.data.dataset import Dataset

    rng = np.random.default_rng(0)
    shape = (SEQUENCES, facts.steps, 2 if facts.readout == "pair" else 1)
    inputs = rng.integers(0, facts.vocabulary or 255, shape).astype(np.uint8)
    labels = rng.integers(0, facts.classes, SEQUENCES)
    return Dataset("random", "valid", inputs, facts.scale, labels, "random", facts.vocabulary)


def resident(which: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(which))


if __name__ == "__main__":
    if sys.argv[1:2] == ["--took"]:
        print(took(*sys.argv[2:]))
    else:
        main(sys.argv[1:] or list(RECIPES))
