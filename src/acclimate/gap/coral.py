"""Distance between the covariances of two domains' embeddings."""

from __future__ import annotations

from typing import ClassVar

import torch

from acclimate.features.kernels import coral_distance, covariance
from acclimate.gap.base import GapResult, Sample, check_sizes


class Coral:
    """CORAL distance: ``‖C_source − C_target‖²_F / (4 d²)``.

    Use when: you plan to align covariances (the ``coral`` objective) and want to know how much there is to align.
    Avoid when: domains differ in their means, which it does not see; with fewer rows than dimensions covariances are mostly noise.
    ``details["relative"]`` is free of scale: the norm of the difference over the sum of the norms, 0 to 1.
    """

    paper: ClassVar[str] = "Sun & Saenko 2016"
    modality: ClassVar[tuple[str, ...]] = ("text", "image")
    summary: ClassVar[str] = "Distance between the covariances of embeddings."
    summary_zh: ClassVar[str] = "嵌入向量协方差矩阵之间的距离。"
    needs_embeddings: ClassVar[bool] = True
    uses_source_labels: ClassVar[bool] = False

    def measure(self, source: Sample, target: Sample, *, seed: int = 0) -> GapResult:  # noqa: ARG002 - nothing here is random
        """The CORAL distance; zero for equal covariances."""
        warning = check_sizes(source, target)
        x, y = torch.from_numpy(source.embedded()), torch.from_numpy(target.embedded())
        if min(len(x), len(y)) <= x.shape[1]:
            warning = f"fewer rows than the {x.shape[1]} dimensions of the vectors: the covariances are mostly noise"
        c_x, c_y = covariance(x), covariance(y)
        scale = float(c_x.norm() + c_y.norm())
        relative = float((c_x - c_y).norm()) / scale if scale > 0 else 0.0
        return GapResult("coral", float(coral_distance(x, y)), warning=warning, details={"relative": relative})
