"""Registers neuro-core models for our processes."""

from __future__ import annotations

from typing import Any

from neurossm_chip.refusal import Refusal

_MODELS: dict[type[Any], type[Any]] = {}


def register(process_class: type[Any], model_class: type[Any]) -> None:
    """Use a neuro-core model for a process of ``neurossm_chip.processes.neurons`` on the chip.

    Call it while a module is imported, and name that module: ``run.py --target loihi2 --models
    MODULE`` (or ``neurossm deploy --models MODULE``). The model has to have the ports and Vars of
    the process; its class is handed to ``Loihi2HwCfg`` in ``exception_proc_model_map``, which Lava
    takes unchecked, before any other rule.

    Parameters
    ----------
    process_class
        One of the processes in ``neurossm_chip.processes.neurons``.
    model_class
        A subclass of lava-loihi's ``AbstractNcProcessModel`` (neuro-core) or
        ``AbstractCProcessModel`` (embedded processor) that implements `process_class`.

    Raises
    ------
    Refusal
        If the process is not one of ours, has a model already, or the model is for another process.
    """
    from neurossm_chip.processes import neurons

    names = ", ".join(sorted(neurons.ON_CHIP))
    where = f"register({_name(process_class)}, {_name(model_class)})"
    if process_class not in neurons.ON_CHIP.values():
        raise Refusal(f"{where}: expected a process of neurossm_chip ({names})")
    if process_class in _MODELS and _MODELS[process_class] is not model_class:
        already = _name(_MODELS[process_class])
        raise Refusal(f"{where}: the process has the model {already} already")
    implemented = getattr(model_class, "implements_process", None)
    if implemented is not process_class:
        raise Refusal(f"{where}: the model implements {_name(implemented)}")
    _MODELS[process_class] = model_class


def registered() -> dict[type[Any], type[Any]]:
    """Return process class to model class, of all that `register` was told."""
    return dict(_MODELS)


def _name(thing: Any) -> str:
    return str(getattr(thing, "__name__", thing))
