"""Pruning while training: weights that are held at 0, and a schedule by which they become more.

A run that prunes, or starts from one that did, keeps ``pruned.json`` in its folder: it names the
layers whose zeros are to stay. Which weights these are is in the weights themselves.

Source: the cubic schedule of Zhu and Gupta, arXiv 1710.01878; magnitudes and shares of layers as in
`neurossm.sparsity`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from neurossm.errors import FormatError
from neurossm.sparsity import chosen, masks, sparsity_at
from neurossm_models.train.checkpoint import replace_file
from neurossm_models.train.records import check_record, parse, read_text
from neurossm_models.train.sections import TrainConfig

PRUNED = "pruned.json"


def prunable(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the matrices ``(out, in)`` of a network that can be pruned, by the name of the layer.

    Those of every `torch.nn.Linear`, and what a module names in an attribute ``prunable``.
    """
    found: dict[str, nn.Parameter] = {}
    for path, module in model.named_modules():
        if isinstance(module, nn.Linear) and isinstance(module.weight, nn.Parameter):
            found[path] = module.weight
        for name in getattr(module, "prunable", ()):
            found[f"{path}.{name}".lstrip(".")] = getattr(module, name)
    return found


def complex_rows(model: nn.Module) -> tuple[str, ...]:
    """Return the layers whose rows are real parts, then imaginary ones.

    A module names those of its own in an attribute ``complex_rows``.
    """
    return tuple(
        f"{path}.{name}".lstrip(".")
        for path, module in model.named_modules()
        for name in getattr(module, "complex_rows", ())
    )


@dataclass(frozen=True)
class Schedule:
    """How zeros become more.

    Attributes
    ----------
    sparsity, scope
        Share of the weights that is 0 in the end, and where magnitudes are compared.
    first, last
        Steps between which the share grows.
    every
        Steps from one choice to the next.
    """

    sparsity: float
    scope: str
    first: int
    last: int
    every: int

    @classmethod
    def of(cls, config: TrainConfig, total: int) -> Schedule | None:
        """Return the schedule of a training of so many steps; None where nothing is pruned."""
        if not config.sparsity:
            return None
        first, last = (round(share * total) for share in (config.sparsity_from,
                                                          config.sparsity_until))  # fmt: skip
        return cls(config.sparsity, config.sparsity_scope, first, max(last, first + 1, 1),
                   config.sparsity_every)  # fmt: skip

    def is_due(self, step: int) -> bool:
        """Tell whether weights are chosen after so many steps."""
        return step == self.last or (self.first < step < self.last and step % self.every == 0)


class Pruner:
    """Holds weights at 0.

    Parameters
    ----------
    layers
        Name of each layer to its weights, on their device.
    schedule
        How zeros become more; None: those that are there stay.
    kept
        Layers whose zeros are held from the beginning.
    pairs
        Layers with `complex_rows`.
    """

    def __init__(
        self,
        layers: dict[str, nn.Parameter],
        schedule: Schedule | None,
        kept: tuple[str, ...] = (),
        pairs: tuple[str, ...] = (),
    ) -> None:
        self.layers, self.schedule, self.kept, self.pairs = layers, schedule, kept, pairs
        self.masks: dict[str, Tensor] = {}
        self.hold_zeros()

    @classmethod
    def of(
        cls, model: nn.Module, config: TrainConfig, total: int, kept: tuple[str, ...]
    ) -> Pruner | None:
        """Return what prunes a network in a training of so many steps; None where nothing does.

        Raises
        ------
        InputError
            If the network has no layer to prune, or none that ``sparsity_layers`` asks for.
        FormatError
            If it has no layer whose zeros are to stay.
        """
        schedule, every = Schedule.of(config, total), prunable(model)
        for name in kept:
            if name not in every:
                raise FormatError(PRUNED, expected=f"layers of {', '.join(every)}", got=repr(name))
        names = set(kept)
        if schedule is not None:
            names |= set(chosen("recipe [train] sparsity_layers", every, config.sparsity_layers))
        layers = {name: weight for name, weight in every.items() if name in names}
        return cls(layers, schedule, kept, complex_rows(model)) if layers else None

    def hold_zeros(self) -> None:
        """Hold what is 0 now in the layers whose zeros are kept, and nothing in the others."""
        for name, weight in self.layers.items():
            found = weight.detach()
            kept = found != 0 if name in self.kept else torch.ones_like(found, dtype=torch.bool)
            self.masks[name] = kept

    @property
    def zeros(self) -> float:
        """Share of the weights of its layers that are held at 0."""
        held = sum(int((~mask).sum()) for mask in self.masks.values())
        return held / sum(mask.numel() for mask in self.masks.values())

    def is_growing(self, step: int) -> bool:
        """Tell whether zeros still become more after so many steps."""
        return self.schedule is not None and step < self.schedule.last

    def before_step(self) -> None:
        """Take the gradients of weights that are held at 0 out of what is clipped and averaged."""
        for name, weight in self.layers.items():
            if weight.grad is not None:
                weight.grad.mul_(self.masks[name])

    @torch.no_grad()
    def after_step(self, step: int) -> None:
        """Choose anew where that is due after so many steps, and set to 0 what is held at 0."""
        schedule = self.schedule
        if schedule is not None and schedule.is_due(step):
            self._choose(sparsity_at(step, schedule.first, schedule.last, schedule.sparsity))
        for name, weight in self.layers.items():
            weight.mul_(self.masks[name])

    def _choose(self, share: float) -> None:
        assert self.schedule is not None
        weights = {name: weight.detach().cpu().numpy() for name, weight in self.layers.items()}
        for name, kept in masks(weights, share, self.schedule.scope, self.pairs).items():
            # what was 0 stays 0
            self.masks[name] &= torch.from_numpy(kept).to(self.masks[name].device)

    def state(self) -> dict[str, Tensor]:
        """Return what `restore` takes."""
        return dict(self.masks)

    def restore(self, state: dict[str, Tensor], where: str) -> None:
        """Take up the masks of a checkpoint; `FormatError` if they are of other layers."""
        for name, mask in self.masks.items():
            found = state.get(name)
            if found is None or found.shape != mask.shape or found.dtype != torch.bool:
                got = "none" if found is None else f"{found.dtype} {tuple(found.shape)}"
                raise FormatError(f"{where} masks.{name}", got=got,
                                  expected=f"torch.bool {tuple(mask.shape)}")  # fmt: skip
            self.masks[name] = found.to(mask.device)


def record(folder: Path, layers: Iterable[str], **facts: object) -> None:
    """Write whose zeros stay, and what else is known of pruning, into the folder of a run."""
    text = json.dumps({"layers": list(layers), **facts}, indent=1) + "\n"
    replace_file(folder / PRUNED, text.encode(), "try again")


def kept_layers(folder: Path) -> tuple[str, ...]:
    """Return the layers of a run whose zeros are to stay; none of one that is not pruned.

    Raises
    ------
    FormatError
        If the file that says so is damaged.
    """
    path = folder / PRUNED
    if not path.is_file():
        return ()
    record: dict[str, Any] = check_record(
        parse(read_text(path), str(path), "what was pruned"), {"layers": list[str]}, str(path)
    )
    return tuple(record["layers"])
