"""Chooses Lava's models and runs a network with them."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from typing import Any

import numpy as np

from neurossm_chip.cells import cell_of
from neurossm_chip.network import Network
from neurossm_chip.nssm import File
from neurossm_chip.refusal import Refusal
from neurossm_chip.registry import registered
from neurossm_chip.runtime import ProcessFailed, ensure, run_checked
from neurossm_chip.temporary import full, not_ended

# lava-nc declares Python < 3.11 and runs on newer ones with `ensure`
INSTALL = (
    "pip install lava-nc==0.10.0"
    if sys.version_info < (3, 11)
    else "pip install scipy asteval networkx"
    " && pip install --no-deps --ignore-requires-python lava-nc==0.10.0"
)
CHIP, STAND_IN, SIMULATOR = (
    "Loihi 2",
    "stand-in for a Loihi 2: neuro-core models that run as Python on the host; NOT a chip",
    "Lava's CPU simulator; NOT a chip",
)


def default_target() -> str:
    """Return the chip where lava-loihi is installed, else the simulator, and say so."""
    require("lava")
    from lava.utils.loihi import is_installed

    if is_installed():
        return "loihi2"
    print("no lava-loihi here: on Lava's CPU simulator (--target lava)", file=sys.stderr)
    return "lava"


def require(target: str) -> None:
    """Refuse in a sentence where Lava, or lava-loihi for the chip, is missing."""
    try:
        ensure()
        from lava.utils.loihi import is_installed
    except ImportError as error:
        raise Refusal(f"Lava cannot be imported ({error}); {INSTALL}") from error
    if target == "loihi2" and not is_installed():
        raise Refusal(
            "lava-loihi is not installed here: it is a closed package for members of Intel's"
            " Neuromorphic Research Community; run with --target lava, or where it is installed"
        )


def load_models(modules: list[str]) -> None:
    """Import the modules that call `neurossm_chip.register`."""
    for name in modules:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise Refusal(f"--models {name} cannot be imported: {error}") from error


def configuration(target: str, network: Network) -> Any:
    """Return the run configuration: fixed point on the CPU, or ``Loihi2HwCfg`` with our models.

    Without a registered model ``Loihi2HwCfg`` would run the CPU model on the host, and say nothing.
    """
    from lava.magma.core import run_configs

    from neurossm_chip.processes import neurons

    if target == "lava":
        return _simulation(network)
    models, used = registered(), {type(process) for process in network.nodes.values()}
    missing = sorted(_asked_for(k) for k in used & set(neurons.ON_CHIP.values()) - set(models))
    if missing:
        raise Refusal(
            "no neuro-core model is registered for {}; write one each and name its module with"
            " --models (README.md, 'Neuro-core models')".format(", ".join(missing))
        )
    models[neurons.Source], models[neurons.Sink] = neurons.SourceModel, neurons.SinkModel
    return run_configs.Loihi2HwCfg(select_tag="fixed_pt", exception_proc_model_map=models)


def _asked_for(process: Any) -> str:
    """Return the name of a process of ours; of one that nodes share, how to ask for it, too."""
    members = ", ".join(repr(kind.__name__) for kind in getattr(process.cell, "members", ()))
    return f"{process.__name__} (neurons.sharing({members}))" if members else process.__name__


def _simulation(network: Network) -> Any:
    from lava.magma.core.run_configs import Loihi2SimCfg
    from lava.proc.sparse.models import PySparseModelFloat

    real = [process.name for process in network.real]

    class Simulation(Loihi2SimCfg):  # type: ignore[misc]
        """Fixed point but for an S4d, of which there is no fixed-point model on the CPU."""

        def select(self, process: Any, proc_models: Any) -> Any:
            if type(process).__name__ == "S4d":
                return proc_models[0]
            if process.name in real:
                return PySparseModelFloat
            return super().select(process, proc_models)

    return Simulation(select_tag="fixed_pt")


def compiled(network: Network, cfg: Any, target: str) -> Any:
    """Compile; return the executable. Refuse a chip's network with a part on the host."""
    first = next(iter(network.nodes.values()))
    executable = first.compile(cfg)
    if target == "loihi2":
        from lava.magma.core.model.nc.model import AbstractNcProcessModel

        on_host = sorted(
            f"{process.name} ({process.model_class.__name__})"
            for process in network.inner
            if not issubclass(process.model_class, AbstractNcProcessModel)
        )
        if on_host:
            raise Refusal("no neuro-core model was found for {}".format(", ".join(on_host)))
    return executable


def ran_on(network: Network, target: str) -> str:
    """Say where the neurons ran, from the models that Lava chose; nothing else is believed."""
    from lava.magma.core.model.py.model import AbstractPyProcessModel

    if target == "lava":
        return SIMULATOR
    python = any(issubclass(p.model_class, AbstractPyProcessModel) for p in network.inner)
    return STAND_IN if python else CHIP


def run(network: Network, executable: Any, limit: float) -> Any:
    """Run all steps; return the runtime's first process. Ends everything when a process fails."""
    first = next(iter(network.nodes.values()))
    try:
        run_checked(
            first, network.steps, None, limit or float("inf"), made=not_ended, executable=executable
        )
    except TimeoutError:
        raise Refusal(f"Lava: not finished within --time-limit {limit:g} s") from None
    except ProcessFailed as failed:
        if failed.details:
            print(failed.details, file=sys.stderr)
        if "[Errno 28]" in failed.reason:
            place = os.path.dirname(network.folder)
            raise Refusal(full(place, os.strerror(errno.ENOSPC))) from None
        raise Refusal(f"Lava: a process of the network died: {failed.reason}") from None
    return first


def final_states(file: File, network: Network) -> dict[str, Any]:
    """Read the states after the last step of the last sample, through Lava; works on a chip too."""
    found = {}
    for node in file.nodes:
        if node.name in network.choices or node.type == "Delay":
            continue
        process = network.nodes[network.wiring.units[node.name][-1]]
        for part in cell_of(node.name, node.type).kept(node):
            value = getattr(process, network.part(node.name, part), None)
            if value is not None:
                shape = file.golden[-1].states[f"{node.name}.{part}"].shape
                array = np.asarray(value.get()).reshape(shape)
                found[f"{node.name}.{part}"] = array.astype(np.int64)
    return found
