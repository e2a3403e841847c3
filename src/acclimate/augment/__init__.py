"""Target augmentation: ``METHODS`` make new examples before training, ``MIXERS`` act on batches while training.

To add a method: one file in ``expand/`` or ``mix/`` with a class that follows :class:`acclimate.augment.base.Augmenter` or
:class:`acclimate.models.objective.Objective`, and one line here.
"""

from typing import Any

from acclimate.augment.base import Augmenter
from acclimate.augment.expand.back_translation import BackTranslation
from acclimate.augment.expand.balance import Balance
from acclimate.augment.expand.causal_infill import CausalInfill
from acclimate.augment.expand.cilin import Cilin
from acclimate.augment.expand.eda import Eda
from acclimate.augment.expand.embedding_neighbour import EmbeddingNeighbour
from acclimate.augment.expand.error_driven import ErrorDriven
from acclimate.augment.expand.evolve import Evolve
from acclimate.augment.expand.from_corpus import FromCorpus
from acclimate.augment.expand.generate import Generate
from acclimate.augment.expand.masked_lm import MaskedLm
from acclimate.augment.expand.noise import Noise
from acclimate.augment.expand.paraphrase import Paraphrase
from acclimate.augment.expand.wordnet import Wordnet
from acclimate.augment.mix.mixup import Mixup

METHODS: dict[str, type[Augmenter]] = {
    "eda": Eda,
    "noise": Noise,
    "wordnet": Wordnet,
    "cilin": Cilin,
    "embedding-neighbour": EmbeddingNeighbour,
    "masked-lm": MaskedLm,
    "causal-infill": CausalInfill,
    "back-translation": BackTranslation,
    "paraphrase": Paraphrase,
    "generate": Generate,
    "from-corpus": FromCorpus,
    "evolve": Evolve,
    "error-driven": ErrorDriven,
    "balance": Balance,
}
#: Objectives; typed loosely because their protocol would bring torch along.
MIXERS: dict[str, type[Any]] = {"mixup": Mixup}
