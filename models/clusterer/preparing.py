"""Have the clusterer's kernels ready."""

from __future__ import annotations

import numpy as np

from models.clusterer.clusterer import SegmentClusterer


def prepare() -> None:
    """Have the kernels compiled, or loaded if they were compiled before: no event shall wait for it."""
    SegmentClusterer(n_clusters=2, warmup=4).learn_many(np.arange(10.0)[:, None])
