"""The initial poles and input weights of an S4D layer.

``N`` real states, ``M = N // 2`` complex modes.

Source: Gu, Goel, Gupta, Re, "On the Parameterization and Initialization of Diagonal State Space
Models", 2022 (arXiv 2206.11893).
"""

from __future__ import annotations

from numbers import Integral

import numpy as np
from numpy.typing import NDArray

from neurossm.errors import InputError
from neurossm_models.arguments import check_choice
from neurossm_models.config import INITS


def initial_modes(init: str, state: int) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """Return the continuous poles and input weights that training starts from.

    Real parts are all -1/2. With n = 0 .. M-1 the imaginary parts are ``pi n`` (``"lin"``),
    ``(N/pi) (N/(2n+1) - 1)`` (``"inv"``), or those of the normal part of HiPPO-LegS (``"legs"``);
    see arXiv 2206.11893, section 4. Input weights are 1, for ``"legs"`` those of HiPPO.

    Parameters
    ----------
    init
        One of ``"lin"``, ``"inv"``, ``"legs"``.
    state
        Real states N; even, at least 2.

    Returns
    -------
    tuple of ndarray
        Poles and input weights, complex128, shape (M,).

    Raises
    ------
    InputError
        If `init` is unknown or `state` is not an even number of at least 2.
    """
    check_choice("S4D init", init, INITS)
    if not isinstance(state, Integral) or state < 2 or state % 2:
        raise InputError("S4D state", expected="an even number of at least 2", got=repr(state))
    n = np.arange(state // 2)
    b = np.ones(state // 2, dtype=np.complex128)
    if init == "lin":
        imag = np.pi * n
    elif init == "inv":
        imag = state / np.pi * (state / (2 * n + 1) - 1)
    else:
        imag, b = _legs_modes(state)
    return np.asarray(-0.5 + 1j * imag, dtype=np.complex128), b


def _legs_modes(state: int) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
    """Return imaginary parts and input weights of the normal part of HiPPO-LegS.

    HiPPO-LegS has ``A[n, k] = -sqrt((2n+1)(2k+1))`` below the diagonal and ``-(n+1)`` on it.
    Adding the rank-one ``p p^T`` with ``p_n = sqrt(n + 1/2)`` leaves ``-I/2`` plus a skew matrix
    of entries ``-sqrt((2n+1)(2k+1))/2`` below the diagonal, so the poles are the eigenvalues of
    a Hermitian matrix. The phase of an eigenvector is free (C takes it up): it is chosen to make
    the input weight real. Weights are clipped at 2, as in the published initialization.
    """
    q = np.sqrt(2 * np.arange(state) + 1.0)
    below = np.tril(np.outer(q, q) / 2, -1)
    frequencies, vectors = np.linalg.eigh(-1j * (below.T - below))
    keep = frequencies > 0
    weights = np.minimum(np.abs(vectors.conj().T @ q), 2.0)
    return frequencies[keep], weights[keep].astype(np.complex128)
