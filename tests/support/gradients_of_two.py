"""One step of `Trainer` as torchrun starts it: ``gradients_of_two.py FOLDER``.

Each process writes ``RANK.json``: the gradient of every parameter, the buckets of gradients that
went from process to process, and what the validation part reached.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import torch
from torch import nn
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import allreduce_hook
from torch.utils.data import DataLoader, TensorDataset

from neurossm_models.train import Trainer, loop

SEQUENCES, STEPS, PARTS = 8, 3, 2


def data():
    """Return x and labels (8, 3, 1): 1 to 24 tenths, and half the square, unknown at some steps."""
    x = torch.arange(1.0, 1 + SEQUENCES * STEPS).reshape(SEQUENCES, STEPS, 1) / 10
    labels = x.double() ** 2 / 2
    for sequence, step in ((0, 0), (0, 1), (1, 0), (1, 1), (1, 2), (5, 2), (6, 0)):
        labels[sequence, step] = torch.nan  # parts and processes are asked for unequal numbers
    return x, labels


def main() -> None:
    """Take the step, write what came of it."""
    folder, meetings = Path(sys.argv[1]), []
    spread = loop.spread_over

    def watched(model, group):
        whole = spread(model, group)

        def hook(state, bucket):
            meetings.append(bucket.index())
            return allreduce_hook(None, bucket)

        whole.register_comm_hook(None, hook)
        return whole

    loop.spread_over = watched
    model = nn.Linear(1, 1)
    with torch.no_grad():
        model.weight.fill_(0.5)
        model.bias.fill_(0.25)
    loader = DataLoader(TensorDataset(*data()), SEQUENCES)
    trainer = Trainer(
        model, loader, loader, task="step-regression", out=folder / "run", device="cpu",
        accumulate=PARTS, clip=0.0, lr=0.0, epochs=2,
    )  # fmt: skip
    result = trainer.fit(stop_after=1)
    gradients = {name: one.grad.flatten().tolist() for name, one in model.named_parameters()}
    found = {"gradients": gradients, "meetings": meetings, "valid": result.valid}
    (folder / f"{os.environ['RANK']}.json").write_text(json.dumps(found))


main()
