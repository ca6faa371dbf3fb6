"""Weights: trained networks beside their recipes, states to resume from, surrogate networks."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hostile.fuzzing.formats import Format
from hostile.fuzzing.safetensors_edits import safetensors
from hostile.fuzzing.text_edits import toml

SETTINGS = (
    "train.epochs=1", "data.limit=96", "data.valid=48", "train.batch=16", "model.width=4",
    "model.state=4", "model.layers=1", "train.ssm=loop", "train.neuron=loop",
)  # fmt: skip


def _recipe() -> Any:
    from neurossm_models.train.recipe import load_recipe

    return load_recipe("binary-s4d-digits", list(SETTINGS))


def _recipe_text() -> bytes:
    from neurossm_models.train.recipe import to_toml

    return to_toml(_recipe()).encode()


def _weights() -> tuple[bytes, ...]:
    import torch

    from neurossm_models.network import Network
    from neurossm_models.train.checkpoint import save_tensors

    with torch.random.fork_rng(devices=[]), tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(0)
        model = Network(_recipe().model)
        meta = {"accuracy": 0.5, "epoch": 1, "spike_rates": [0.1]}
        save_tensors(Path(folder) / "w", model.state_dict(), meta)
        return ((Path(folder) / "w").read_bytes(),)


def _beside_weights(folder: Path) -> None:
    (folder / "recipe.toml").write_bytes(_recipe_text())


def _beside_recipe(folder: Path) -> None:
    (folder / "weights.safetensors").write_bytes(_weights()[0])


def _read_run(path: Path) -> object:
    from neurossm_models.train import load_model

    return load_model(path.parent)


class _Resumed:
    """A trainer that is made once; each file is one state to continue from."""

    def __init__(self) -> None:
        self._trainer: Any = None

    def trainer(self, folder: Path) -> Any:
        from neurossm_models.train import RecipeTrainer

        if self._trainer is None:
            self._trainer = RecipeTrainer(_recipe(), folder)
        self._trainer.folder = folder
        return self._trainer

    def seeds(self) -> tuple[bytes, ...]:
        import torch

        with torch.random.fork_rng(devices=[]), tempfile.TemporaryDirectory() as name:
            torch.manual_seed(0)
            folder = Path(name)
            trainer = self.trainer(folder)
            for batch in trainer._rest_of_epoch():
                trainer._train_step(batch)
                break
            trainer.save()
            return ((folder / "last" / "state.safetensors").read_bytes(),)

    def read(self, path: Path) -> object:
        import torch

        with torch.random.fork_rng(devices=[]):
            trainer = self.trainer(path.parents[1])
            trainer.read_checkpoint()
            # what training does with it next
            return json.dumps([trainer.step, trainer.sums, trainer.best]), trainer._means()


_RESUMED = _Resumed()


def _sdn() -> tuple[bytes, ...]:
    from neurossm_models.neurons.sdn import WEIGHTS

    return tuple(path.read_bytes() for path in sorted(WEIGHTS.glob("*.safetensors"))[:2])


def _read_sdn(path: Path) -> object:
    import torch

    from neurossm_models.neurons.sdn import load_sdn

    network, _ = load_sdn(path)
    return network(torch.zeros(1, 9))


FORMATS = (
    Format("checkpoint", "weights.safetensors", _weights, _read_run, (safetensors,),
           _beside_weights),
    Format("checkpoint recipe", "recipe.toml", lambda: (_recipe_text(),), _read_run, (toml,),
           _beside_recipe, damage=0.2),
    Format("training state", "last/state.safetensors", _RESUMED.seeds, _RESUMED.read,
           (safetensors,)),
    Format("sdn", "sdn.safetensors", _sdn, _read_sdn, (safetensors,)),
)  # fmt: skip
