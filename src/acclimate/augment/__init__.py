"""Target augmentation: ``METHODS`` make new examples before training, ``MIXERS`` act on batches while training.

To add a method: one file in ``expand/`` or ``mix/`` with a class that follows :class:`acclimate.augment.base.Augmenter` or
:class:`acclimate.models.objective.Objective`, and one line here.
"""

from typing import Any

from acclimate.augment.base import Augmenter
from acclimate.augment.expand.cilin import Cilin
from acclimate.augment.expand.eda import Eda
from acclimate.augment.expand.embedding_neighbour import EmbeddingNeighbour
from acclimate.augment.expand.noise import Noise
from acclimate.augment.expand.wordnet import Wordnet
from acclimate.augment.mix.mixup import Mixup

METHODS: dict[str, type[Augmenter]] = {
    "eda": Eda,
    "noise": Noise,
    "wordnet": Wordnet,
    "cilin": Cilin,
    "embedding-neighbour": EmbeddingNeighbour,
}
#: Objectives; typed loosely because their protocol would bring torch along.
MIXERS: dict[str, type[Any]] = {"mixup": Mixup}
