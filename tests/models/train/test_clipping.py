"""The gradient that the optimizer sees is clipped to the norm that was asked for."""

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from neurossm_models.train import Trainer


class Linear(nn.Module):
    def __init__(self):
        super().__init__()
        self.map = nn.Linear(2, 1)

    def forward(self, x):
        return self.map(x).mean(1)


def gradient_seen(folder, monkeypatch, clip):
    """Return the norm of the gradient at each step, and what it is by itself at the first."""
    torch.manual_seed(0)
    model = Linear()
    x, y = torch.randn(8, 5, 2), 100 + torch.randn(8, 1)  # far away: a large gradient
    start = Linear()
    start.load_state_dict(model.state_dict())
    (start(x) - y).square().mean().backward()
    norms = []

    def step(optimizer, closure=None):
        found = [p.grad for group in optimizer.param_groups for p in group["params"]]
        norms.append(float(torch.cat([grad.flatten() for grad in found]).norm()))

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    loader = DataLoader(TensorDataset(x, y), batch_size=8)
    Trainer(model, loader, loader, task="regression", out=folder, epochs=1, clip=clip).fit()
    by_itself = torch.cat([p.grad.flatten() for p in start.parameters()]).norm()
    return norms, float(by_itself)


def test_a_large_gradient_is_clipped(tmp_path, monkeypatch):
    norms, by_itself = gradient_seen(tmp_path / "run", monkeypatch, 0.25)
    assert by_itself > 10 and norms == pytest.approx([0.25], rel=1e-4)


def test_a_small_one_and_any_where_nothing_is_to_be_clipped_stay(tmp_path, monkeypatch):
    norms, by_itself = gradient_seen(tmp_path / "a", monkeypatch, 1e6)
    assert norms == pytest.approx([by_itself], rel=1e-4)
    norms, by_itself = gradient_seen(tmp_path / "b", monkeypatch, 0.0)
    assert norms == pytest.approx([by_itself], rel=1e-4)
