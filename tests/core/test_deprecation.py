"""A name that goes says what to use instead."""

import pytest

from neurossm.deprecation import Deprecated, deprecated


def _moved() -> None:
    deprecated("old()", "new()", gone="9.1")


def test_the_warning_names_both_and_the_release_and_points_at_the_caller():
    with pytest.warns(
        Deprecated, match=r"^old\(\) is deprecated, use new\(\) \(removed in 9\.1\)$"
    ) as seen:
        _moved()
    assert seen[0].filename == __file__ and issubclass(seen[0].category, FutureWarning)
