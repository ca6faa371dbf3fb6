"""Fits the configuration of a network to the facts of its data."""

from __future__ import annotations

from typing import Any

from neurossm.errors import InputError
from neurossm_models.config import (
    EVERY_STEP,
    LAST,
    LEAKY,
    MAX,
    MEAN,
    OLD_READOUTS,
    PAIR,
    SUM,
    NetworkConfig,
)
from neurossm_models.data.labels import CLASSIFICATION, NEXT_STEP, STEP_CLASSIFICATION
from neurossm_models.data.task import Task

OF_SEQUENCES = (MEAN, LAST, MAX, SUM, LEAKY)


def readout_of(facts: Task) -> str:
    """Return the readout that data ask for if nobody says another one."""
    return OLD_READOUTS.get(facts.readout, facts.readout)


def asked_of_network(facts: Task) -> dict[str, Any]:
    """Return what a network for these data has where a recipe leaves it out."""
    asked: dict[str, Any] = {"classes": facts.classes, "readout": readout_of(facts)}
    if facts.vocabulary:
        return {**asked, "vocabulary": facts.vocabulary}
    return {**asked, "in_features": facts.features}


def check_facts(model: object, data: str, facts: Task) -> None:
    """Raise `InputError` where the network of a recipe does not fit the data; names the key."""
    if not isinstance(model, NetworkConfig):
        return
    asked = readout_of(facts)
    right = model.readout == asked if asked in (EVERY_STEP, PAIR) else model.readout in OF_SEQUENCES
    more = "" if asked in (EVERY_STEP, PAIR) else " (or last, max, sum, leaky)"
    _for_data(model, data, "readout", right, f"{asked!r}{more}")
    tokens = "more than 0 (tokens)" if facts.vocabulary else "0 (values)"
    right = bool(facts.vocabulary) == bool(model.vocabulary)
    _for_data(model, data, "vocabulary", right, tokens)
    if not facts.vocabulary:
        right = model.in_features == facts.features
        _for_data(model, data, "in_features", right, str(facts.features))
    if facts.kind == CLASSIFICATION:
        right = model.classes >= facts.classes
        _for_data(model, data, "classes", right, f"at least {facts.classes}")
    elif facts.kind == NEXT_STEP and facts.vocabulary:  # a copy may have other tokens
        right = model.classes >= model.vocabulary
        _for_data(model, data, "classes", right, f"at least {model.vocabulary}, the vocabulary,")
    elif facts.kind != STEP_CLASSIFICATION:
        _for_data(model, data, "classes", model.classes == facts.classes, str(facts.classes))


def _for_data(model: NetworkConfig, data: str, key: str, right: bool, expected: str) -> None:
    if not right:
        got = repr(getattr(model, key))
        expected = f"{expected} for data {data!r}"
        raise InputError(f"[model] {key}", expected=expected, got=got)
