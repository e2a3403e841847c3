"""Source selection: which examples of the pool help the target.

To add a method: one file beside these with a class that follows :class:`acclimate.select.base.Selector`, and one line here.
"""

from acclimate.select.base import Selector
from acclimate.select.combine import Combine
from acclimate.select.importance.classifier import Classifier
from acclimate.select.importance.cynical import Cynical
from acclimate.select.importance.dsir import Dsir
from acclimate.select.importance.el2n import El2n
from acclimate.select.importance.forgetting import Forgetting
from acclimate.select.importance.gradient import Gradient
from acclimate.select.importance.grand import Grand
from acclimate.select.importance.influence import Influence
from acclimate.select.importance.kliep import Kliep
from acclimate.select.importance.kmm import Kmm
from acclimate.select.importance.learned import Learned
from acclimate.select.importance.moore_lewis import MooreLewis
from acclimate.select.importance.reducible_loss import ReducibleLoss
from acclimate.select.importance.tradaboost import Tradaboost
from acclimate.select.importance.ulsif import Ulsif
from acclimate.select.random import Random
from acclimate.select.similarity.centroid import Centroid
from acclimate.select.similarity.confusion import Confusion
from acclimate.select.similarity.herding import Herding
from acclimate.select.similarity.knn import Knn
from acclimate.select.similarity.ngram import Ngram
from acclimate.select.similarity.tfidf import Tfidf
from acclimate.select.similarity.transport import Transport
from acclimate.select.task.domain_rank import DomainRank
from acclimate.select.task.h_score import HScore
from acclimate.select.task.leep import Leep
from acclimate.select.task.logme import LogMe
from acclimate.select.task.mixture import Mixture
from acclimate.select.task.nce import Nce
from acclimate.select.task.otdd import Otdd
from acclimate.select.task.task2vec import Task2Vec
from acclimate.select.task.transrate import TransRate

METHODS: dict[str, type[Selector]] = {
    "random": Random,
    "knn": Knn,
    "confusion": Confusion,
    "transport": Transport,
    "herding": Herding,
    "centroid": Centroid,
    "ngram": Ngram,
    "tfidf": Tfidf,
    "logme": LogMe,
    "leep": Leep,
    "nce": Nce,
    "h-score": HScore,
    "transrate": TransRate,
    "otdd": Otdd,
    "task2vec": Task2Vec,
    "domain-rank": DomainRank,
    "mixture": Mixture,
    "dsir": Dsir,
    "classifier": Classifier,
    "el2n": El2n,
    "grand": Grand,
    "forgetting": Forgetting,
    "reducible-loss": ReducibleLoss,
    "learned": Learned,
    "gradient": Gradient,
    "influence": Influence,
    "cynical": Cynical,
    "kliep": Kliep,
    "ulsif": Ulsif,
    "tradaboost": Tradaboost,
    "combine": Combine,
    "kmm": Kmm,
    "moore-lewis": MooreLewis,
}
