"""Executors: what one is, how one is named with its options, how one is found.

An executor is one file: a value of type `Executor`, made known by an entry point of the group
``neurossm.executors``, in this package or in anybody's (docs/how-to/back-ends.md).
"""

from neurossm.executors.discovery import GROUP, Listed, choose, listed
from neurossm.executors.engine import Engine
from neurossm.executors.protocol import (
    Executor,
    Inputs,
    NoOptions,
    Progress,
    Run,
    Source,
    timed,
)

__all__ = [
    "GROUP",
    "Engine",
    "Executor",
    "Inputs",
    "Listed",
    "NoOptions",
    "Progress",
    "Run",
    "Source",
    "choose",
    "listed",
    "timed",
]
