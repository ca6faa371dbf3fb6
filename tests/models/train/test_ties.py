"""Among epochs that are equally good, the one with the least validation loss is kept."""

from __future__ import annotations

import json

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from neurossm_models.train import Trainer


class Sign(nn.Module):
    """Two classes by the sign of the input; right from the start, and surer with every step."""

    def __init__(self):
        super().__init__()
        self.map = nn.Linear(1, 2)
        with torch.no_grad():
            self.map.weight.copy_(torch.tensor([[-0.1], [0.1]]))
            self.map.bias.zero_()

    def forward(self, x):
        return self.map(x).mean(1)


def test_the_surest_of_equally_right_epochs_is_kept(tmp_path):
    x = torch.cat([-torch.ones(4, 3, 1), torch.ones(4, 3, 1)])
    y = torch.tensor([0] * 4 + [1] * 4)
    loader = DataLoader(TensorDataset(x, y), batch_size=8)
    result = Trainer(Sign(), loader, loader, out=tmp_path / "run", epochs=4, lr=0.01).fit()
    lines = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    losses = [line["valid_loss"] for line in lines]
    assert [line["valid_accuracy"] for line in lines] == [1.0] * 4
    assert losses == sorted(losses, reverse=True) and len(set(losses)) > 1
    assert result.best_epoch == 1 + losses.index(min(losses)) > 1
