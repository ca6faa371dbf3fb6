"""Kinds of fields are found where numpy's `NDArray` is an alias of its own, as since 2.5."""

from typing import Any, TypeVar

import numpy as np
from typing_extensions import TypeAliasType

from neurossm.store.decode import _kind

T = TypeVar("T", bound=np.generic)
Alias: Any = TypeAliasType("Alias", np.ndarray[Any, np.dtype[T]], type_params=(T,))


def test_an_alias_of_an_array_is_an_array():
    assert _kind(Alias[np.int64]) is np.ndarray
    assert _kind(np.ndarray[Any, np.dtype[np.int64]]) is np.ndarray
    assert _kind(int) is int
