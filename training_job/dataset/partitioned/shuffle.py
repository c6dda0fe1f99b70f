"""Bring together what belongs together: Dask's own shuffle, by ranges of a 64-bit key."""

from collections.abc import Sequence

import dask.dataframe as dd
import numpy as np
import pandas as pd
from dask.delayed import Delayed

from training_job.dataset.partitioned.reading import KEY

SPACE = 2**64


def divide(frames: Sequence[Delayed], empty: pd.DataFrame, ranges: int) -> list[Delayed]:
    """The rows of all frames in so many frames of ascending, disjoint ranges of the key.

    Keys are hashes, so the ranges are of about the same size. The key becomes the index; rows of
    one key are together, in any order. `empty`: a frame of these columns without rows.
    """
    together = dd.from_delayed(list(frames), meta=empty, verify_meta=False)
    bounds = [np.uint64(SPACE * index // ranges) for index in range(ranges)]
    divided = together.set_index(
        KEY, divisions=[*bounds, np.uint64(SPACE - 1)], shuffle_method="p2p", sort=True
    )
    found: list[Delayed] = divided.to_delayed()
    return found
