"""The seam for hardware: other process models, and other run configurations, by tag.

Nothing here imports Lava. A package that brings models for a target has a module such as this::

    # my_package/loihi2_models.py
    from lava.magma.core.run_configs import Loihi2HwCfg
    from neurossm_converters.backends.lava.models import register_configuration, register_model
    from neurossm_converters.backends.lava.processes.neurons import DiagonalSSM

    register_configuration("loihi2", lambda: Loihi2HwCfg(select_tag="fixed_pt"))
    register_model(DiagonalSSM, NcDiagonalSSMModel, "loihi2")

and is run with ``LavaOptions(target="loihi2", extensions=("my_package.loihi2_models",),
protocol="loihi")``. The worker imports the extensions before it builds the network; a
process for which nothing is registered gets the model that the configuration selects.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from neurossm.errors import TargetError
from neurossm_converters.backends.lava.options import SIMULATION

_MODELS: dict[tuple[type, str], type] = {}
_CONFIGURATIONS: dict[str, Callable[[], Any]] = {}


def register_model(process_class: type, model_class: type, tag: str) -> None:
    """Let a target run another model for one of our processes.

    Parameters
    ----------
    process_class
        A class of `lava_backend.processes.neurons`, or one of Lava's own such as `Dense`.
    model_class
        A Lava ProcessModel whose ``implements_process`` is that class (Lava's ``@implements``):
        with the same ports, ``in_0`` to ``in_7`` and ``s_out``, and the Vars that
        `lava_backend.variables` lists for the node. Frames and files are in
        ``proc_params["frame"]``; a model that cannot write files leaves them to the bundle.
    tag
        Name of the target, as in `LavaOptions.target`.

    Raises
    ------
    TargetError
        If the model implements another process, if the tag is that of the simulation, or if
        another model is registered for the two already.
    """
    where = f"model {model_class.__name__} for {process_class.__name__} on {tag!r}"
    if getattr(model_class, "implements_process", None) is not process_class:
        implemented = getattr(model_class, "implements_process", None)
        raise TargetError(
            where,
            expected=f"a model that implements {process_class.__name__}",
            got=getattr(implemented, "__name__", "none"),
        )
    if tag == SIMULATION:
        raise TargetError(where, expected="a tag of its own", got="that of the simulation")
    known = _MODELS.setdefault((process_class, tag), model_class)
    if known is not model_class:
        raise TargetError(where, expected="one model for each", got=f"{known.__name__} before")


def register_configuration(tag: str, factory: Callable[[], Any]) -> None:
    """Let a target run under another Lava RunConfig, made by `factory` in the worker.

    Without one a target runs under Lava's CPU simulation, with its registered models.

    Raises
    ------
    TargetError
        If the tag is that of the simulation.
    """
    if tag == SIMULATION:
        raise TargetError(f"configuration {tag!r}", expected="a tag of its own", got="the default")
    _CONFIGURATIONS[tag] = factory


def load_extensions(modules: tuple[str, ...]) -> None:
    """Import the modules that register models.

    Raises
    ------
    TargetError
        If one cannot be imported.
    """
    for name in modules:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise TargetError(
                f"extension {name!r}",
                expected="a module that Python can import",
                got=str(error),
                remedy="install it, or put its folder into PYTHONPATH",
            ) from None


def configuration_of(tag: str) -> Any | None:
    """Return a new RunConfig of a target; None where the simulation is to be used.

    Raises
    ------
    TargetError
        If nothing at all is registered for the target.
    """
    if tag in _CONFIGURATIONS:
        return _CONFIGURATIONS[tag]()
    if tag == SIMULATION or any(known == tag for _, known in _MODELS):
        return None
    raise TargetError(
        f"target {tag!r}",
        expected="a registered model or configuration",
        got="none",
        remedy="name the module that registers them in LavaOptions.extensions",
    )


def model_of(process_class: type, tag: str) -> type | None:
    """Return the model that is registered for a process on a target."""
    return _MODELS.get((process_class, tag))
