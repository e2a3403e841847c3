"""Processes of our own start light: what they leave out is left out, and is there when it is asked for."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from acclimate.engine.process import start_light
start_light()
import numpy
import pyarrow
from acclimate.features.word_kernels import Hashing, encode
table = pyarrow.table({"a": pyarrow.array(["x", None]), "b": pyarrow.array([1, 2])})
assert Hashing(64).count(encode(["a rose is a rose"])).sum() == 9
assert not {"pandas", "scipy.linalg"} & set(sys.modules)
assert table.to_pandas()["b"].sum() == 3
import pandas
assert pyarrow.array(pandas.Series([1, 2])).to_pylist() == [1, 2]
import scipy.linalg
assert scipy.linalg.det(numpy.eye(2)) == 1
"""


def test_arrow_and_kernels_do_without_pandas_and_a_second_blas_until_these_are_asked_for() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=300)
