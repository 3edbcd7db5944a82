"""LightGBM's C interface for serving: a text model in, raw margins and contributions out.

The Python package takes three seconds to import and brings scikit-learn and pandas with it; the shared library it ships is all
that prediction needs. Signatures: https://lightgbm.readthedocs.io/en/stable/C-API.html. The library trusts its input: a model
text must pass `training.structure` and the canary before it comes here.
"""

from __future__ import annotations

import ctypes
import importlib.util
import weakref
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from arbitration.errors import BundleError

FloatArray = NDArray[np.float64]
_FLOAT64, _ROW_MAJOR = 1, 1
_RAW, _CONTRIBUTIONS = 1, 3
_PARAMETERS = b"num_threads=1 verbosity=-1"


@lru_cache(maxsize=1)
def _library() -> ctypes.CDLL:
    """The shared library inside the installed LightGBM package, found without importing that package."""
    spec = importlib.util.find_spec("lightgbm")
    folders = [] if spec is None else spec.submodule_search_locations or []
    found = [path for folder in folders for path in sorted(Path(folder).glob("**/lib_lightgbm.*"))]
    try:
        library = ctypes.CDLL(str(found[0]))
    except (IndexError, OSError) as error:
        raise BundleError(
            f"LightGBM's library cannot be loaded ({error})", mend="Install lightgbm and the system package libgomp1."
        ) from error
    library.LGBM_GetLastError.restype = ctypes.c_char_p
    return library


def _check(code: int) -> None:
    if code != 0:
        raise BundleError(
            f"LightGBM refused: {_library().LGBM_GetLastError().decode()}", mend="Run `dirigent promote`."
        )


class Booster:
    """A loaded tree ensemble; safe to share between threads, because prediction only reads it."""

    def __init__(self, text: str) -> None:
        self.text = text
        handle, iterations, columns = ctypes.c_void_p(), ctypes.c_int(), ctypes.c_int()
        _check(
            _library().LGBM_BoosterLoadModelFromString(text.encode(), ctypes.byref(iterations), ctypes.byref(handle))
        )
        weakref.finalize(self, _library().LGBM_BoosterFree, handle)
        _check(_library().LGBM_BoosterGetNumFeature(handle, ctypes.byref(columns)))
        self._handle, self.columns = handle, columns.value

    def margins(self, rows: FloatArray) -> FloatArray:
        """Raw log-odds, shape (n,), of rows with shape (n, columns)."""
        return self._predict(rows, _RAW, 1)[:, 0]

    def contributions(self, rows: FloatArray) -> FloatArray:
        """SHAP values (Lundberg 2018, TreeSHAP), shape (n, columns + 1): the last column is the base, each row sums to the margin."""
        return self._predict(rows, _CONTRIBUTIONS, self.columns + 1)

    def _predict(self, rows: FloatArray, kind: int, width: int) -> FloatArray:
        if rows.ndim != 2 or rows.shape[1] != self.columns:
            raise ValueError(f"rows have shape {rows.shape}, the model reads (n, {self.columns})")
        rows = np.ascontiguousarray(rows, dtype=np.float64)
        out, length = np.empty((len(rows), width)), ctypes.c_int64()
        code = _library().LGBM_BoosterPredictForMat(
            self._handle, rows.ctypes.data_as(ctypes.c_void_p), _FLOAT64, ctypes.c_int32(len(rows)),
            ctypes.c_int32(self.columns), _ROW_MAJOR, kind, 0, -1, _PARAMETERS, ctypes.byref(length),
            out.ctypes.data_as(ctypes.c_void_p),
        )  # fmt: skip
        _check(code)
        return out
