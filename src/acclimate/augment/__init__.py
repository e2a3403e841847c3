"""Target augmentation: ``METHODS`` make new examples before training, those in ``ONLINE`` act on batches while training.

To add a method: one file in ``expand/``, ``mix/`` or ``adversarial/`` with a class that follows
:class:`acclimate.augment.base.Augmenter` or :class:`acclimate.models.objective.Objective`, and one line in the family's dict.
"""

from typing import Any

from acclimate.augment.adversarial import METHODS as ADVERSARIAL
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
from acclimate.augment.expand.image.autoaugment import AutoAugment
from acclimate.augment.expand.image.colour import Colour
from acclimate.augment.expand.image.erasing import Erasing
from acclimate.augment.expand.image.fourier import Fourier
from acclimate.augment.expand.image.gan import Gan
from acclimate.augment.expand.image.geometric import Geometric
from acclimate.augment.expand.image.histogram import HistogramMatch
from acclimate.augment.expand.image.kernel_filter import KernelFilter
from acclimate.augment.expand.image.mean_std import MeanStd
from acclimate.augment.expand.image.neural import Neural
from acclimate.augment.expand.image.randaugment import RandAugment
from acclimate.augment.expand.image.trivialaugment import TrivialAugment
from acclimate.augment.expand.masked_lm import MaskedLm
from acclimate.augment.expand.noise import Noise
from acclimate.augment.expand.paraphrase import Paraphrase
from acclimate.augment.expand.wordnet import Wordnet
from acclimate.augment.mix import METHODS as MIX

METHODS: dict[str, type[Augmenter]] = {
    "eda": Eda,
    "geometric": Geometric,
    "colour": Colour,
    "kernel-filter": KernelFilter,
    "erasing": Erasing,
    "randaugment": RandAugment,
    "trivialaugment": TrivialAugment,
    "autoaugment": AutoAugment,
    "fourier": Fourier,
    "mean-std": MeanStd,
    "histogram": HistogramMatch,
    "gan": Gan,
    "neural": Neural,
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
ONLINE: dict[str, type[Any]] = {**MIX, **ADVERSARIAL}
