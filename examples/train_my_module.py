"""Train your own nn.Module with your own DataLoader, stop, and resume bit-exactly.

    python train_my_module.py [FOLDER]

The sequences are noisy sine waves of two frequencies and many lengths. The module has an S4D layer
of neurossm in it; anything that maps (batch, steps, channels) to (batch, classes) will do.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from neurossm_models import S4D
from neurossm_models.train import Trainer

STEPS, CLASSES = 40, 2


class MyModule(nn.Module):
    """Encoder, state space layer, ReLU, mean over each sequence's own steps."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.encoder = nn.Linear(1, width)
        self.layer = S4D(width, state=8, dt_min=0.01, dt_max=0.3)
        self.decoder = nn.Linear(width, CLASSES)

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """Return logits (batch, classes) of x (batch, steps, 1); padding is left out."""
        features = self.encoder(x).permute(2, 0, 1)  # features first, as S4D takes them
        y = torch.relu(self.layer(features)).permute(1, 2, 0)
        inside = torch.arange(x.shape[1], device=x.device) < lengths[:, None]
        return self.decoder((y * inside[..., None]).sum(1) / lengths[:, None])


def waves(count: int, seed: int) -> TensorDataset:
    """Return sequences (count, STEPS, 1), their classes and their lengths."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (count,), generator=generator)
    phase = 6.28 * torch.rand(count, 1, generator=generator)
    turn = 0.3 + 0.9 * labels[:, None]
    x = torch.sin(turn * torch.arange(STEPS) + phase)
    x = x + 0.3 * torch.randn(count, STEPS, generator=generator)
    lengths = torch.randint(STEPS // 2, STEPS + 1, (count,), generator=generator)
    return TensorDataset(x[..., None], labels, lengths)


def main(folder: Path) -> float:
    """Train for a while, stop, go on, and return the accuracy on data that training never saw."""
    torch.manual_seed(0)
    train = DataLoader(waves(512, 1), batch_size=32, shuffle=True)
    valid, test = (DataLoader(waves(128, seed), batch_size=64) for seed in (2, 3))

    def trainer() -> Trainer:
        return Trainer(MyModule(), train, valid, task="classification", out=folder, epochs=6,
                       lr=0.03, ssm_lr=0.01)  # fmt: skip

    trainer().fit(stop_after=20)
    again = trainer()
    result = again.fit(resume=True)  # as if it had never stopped, bit-exact
    again.best()  # the weights of the epoch that was best on the validation part
    measured = again.measure(test)
    print(f"validation: {result.text()} in epoch {result.best_epoch}")
    print(f"test: {measured.scores.text()}")
    return measured.accuracy


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as name:
            main(Path(name))
