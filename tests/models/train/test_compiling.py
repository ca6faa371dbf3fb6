"""A first run says that it compiles, once; code that is there already is not announced."""

import numba

from neurossm_models.train import compiling


def test_it_is_said_once_and_not_of_compiled_code(monkeypatch):
    monkeypatch.setattr(compiling, "_said", False)
    said = []
    first, second = numba.njit(lambda x: x + 1), numba.njit(lambda x: x - 1)
    assert first(1) == 2  # compiled before anybody listens
    with compiling.compiling_said(said.append):
        assert first(2) == 3
        assert said == []
        assert second(1) == 0 and second(1.5) == 0.5
    assert said == ["compiling the training kernels for this machine, once"]
