"""Lava itself: making it importable, choosing models, running a network."""

from __future__ import annotations

import dataclasses
import errno
import importlib
import os
import sys
import time
from typing import Any

import numpy as np

from neurossm_chip.cells import cell_of
from neurossm_chip.network import Network
from neurossm_chip.nssm import File
from neurossm_chip.refusal import Refusal
from neurossm_chip.registry import registered
from neurossm_chip.temporary import full

_BROKEN_MODULE = "lava.magma.compiler.var_model"
POLL = 0.02  # s
# lava-nc declares Python < 3.11 and runs on newer ones with `ensure`
INSTALL = (
    "pip install lava-nc==0.10.0"
    if sys.version_info < (3, 11)
    else "pip install scipy asteval networkx"
    " && pip install --no-deps --ignore-requires-python lava-nc==0.10.0"
)
PATIENCE = 1.0  # s; a traceback arrives a little after the death of its process
CHIP, STAND_IN, SIMULATOR = (
    "Loihi 2",
    "stand-in for a Loihi 2: neuro-core models that run as Python on the host; NOT a chip",
    "Lava's CPU simulator; NOT a chip",
)


def ensure() -> None:
    """Make lava-nc 0.10.0 importable on Python 3.11 and newer; see docs/loihi2.md of neurossm."""
    if sys.version_info < (3, 11) or _BROKEN_MODULE in sys.modules:
        return
    original: Any = dataclasses.dataclass

    def dataclass(cls: Any = None, **options: Any) -> Any:
        def wrap(decorated: Any) -> Any:
            made = original(decorated, **options)
            if made.__module__ == _BROKEN_MODULE and made.__name__ == "ByteEncoder":
                made.__hash__ = object.__hash__
            return made

        return wrap if cls is None else wrap(cls)

    dataclasses.dataclass = dataclass
    try:
        importlib.import_module(_BROKEN_MODULE)
    finally:
        dataclasses.dataclass = original


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
    missing = sorted(k.__name__ for k in used & set(neurons.ON_CHIP.values()) - set(models))
    if missing:
        raise Refusal(
            "no neuro-core model is registered for {}; write one each and name its module with"
            " --models (README.md, 'Neuro-core models')".format(", ".join(missing))
        )
    models[neurons.Source], models[neurons.Sink] = neurons.SourceModel, neurons.SinkModel
    return run_configs.Loihi2HwCfg(select_tag="fixed_pt", exception_proc_model_map=models)


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
    from lava.magma.core.run_conditions import RunSteps

    first = next(iter(network.nodes.values()))
    try:
        first.create_runtime(executable=executable)
    except Exception:  # the constructor of a model raised; the others already run
        if first.runtime is not None:
            _end(first.runtime)
        raise
    runtime = first.runtime
    first.run(condition=RunSteps(num_steps=network.steps, blocking=False))
    _wait(runtime, limit, network.folder)
    first.wait()
    return first


def _wait(runtime: Any, limit: float, folder: str) -> None:
    deadline = time.monotonic() + limit if limit else float("inf")
    actors = runtime._messaging_infrastructure.actors
    while not all(port.probe() for port in runtime.service_to_runtime):
        if not all(actor.is_alive() for actor in actors):
            _fail(runtime, "a process of the network died", folder)
        if time.monotonic() > deadline:
            _fail(runtime, f"not finished within --time-limit {limit:g} s", folder)
        time.sleep(POLL)


def _fail(runtime: Any, what: str, folder: str) -> None:
    deadline = time.monotonic() + PATIENCE
    actors = runtime._messaging_infrastructure.actors
    why: list[str] = []
    while not why and time.monotonic() < deadline:
        why = [str(a.exception[1]) for a in actors if getattr(a, "exception", None)]
        time.sleep(POLL)
    _end(runtime)
    for text in why:
        print(text, file=sys.stderr)
    reasons = ", ".join(text.strip().splitlines()[-1] for text in why)
    if "[Errno 28]" in reasons:
        raise Refusal(full(os.path.dirname(folder), os.strerror(errno.ENOSPC)))
    raise Refusal(f"Lava: {what}" + (f": {reasons}" if reasons else ""))


def _end(runtime: Any) -> None:
    for actor in runtime._messaging_infrastructure.actors:
        if actor.is_alive():
            actor.terminate()
    for thing in list(runtime._messaging_infrastructure.actors) + list(runtime._open_ports):
        try:
            thing.join()
        except Exception:
            continue  # ports that are half dead complain
    runtime._messaging_infrastructure.smm.shutdown()
    runtime._is_started = runtime._is_running = False


def final_states(file: File, network: Network) -> dict[str, Any]:
    """Read the states after the last step of the last sample, through Lava; works on a chip too."""
    found = {}
    for node in file.nodes:
        if node.name in network.choices:
            continue
        for part in cell_of(node.name, node.type).kept(node):
            value = getattr(network.nodes[node.name], part, None)
            if value is not None:
                shape = file.golden[-1].states[f"{node.name}.{part}"].shape
                array = np.asarray(value.get()).reshape(shape)
                found[f"{node.name}.{part}"] = array.astype(np.int64)
    return found
