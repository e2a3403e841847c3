"""A base model by name, ready to be trained: for the class of a text or a picture, or for the next token."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from acclimate.errors import InputError, unknown_name
from acclimate.models.causal import CausalModel
from acclimate.models.classifier import TextClassifier
from acclimate.models.encoder import Encoder
from acclimate.models.image_classifier import ImageClassifier
from acclimate.models.language_model import LanguageModel
from acclimate.models.loading import load_pretrained
from acclimate.models.preparation import Preparation
from acclimate.models.reference import resolve
from acclimate.models.small_cnn import SIDE, SmallCnn
from acclimate.models.vision import load_backbone
from acclimate.tune.readers import ImageReader, LanguageReader, Reader, TextReader
from acclimate.tune.settings import TuneSettings

#: What a model can be trained for, as recipes say it.
TASKS = ("text-classification", "image-classification", "causal-lm")
#: The name of the network that is trained from scratch.
SMALL_CNN = "small-cnn"
#: How its pictures are prepared: digits keep their proportions, grey levels lie around 0.
SMALL_CNN_PREPARATION = Preparation((SIDE, SIDE), None, mean=(0.5,) * 3, std=(0.5,) * 3)

Trainable: TypeAlias = TextClassifier | ImageClassifier | LanguageModel


@dataclasses.dataclass(frozen=True, eq=False)
class Base:
    """A model that starts from pre-trained weights, what it reads, and a fingerprint that changes when the base does."""

    model: Trainable
    reader: Reader
    fingerprint: str


def task_of(name: str, modality: str) -> str:
    """What a model is trained for where nobody says: language models for the next token, others for classes.

    Args:
        modality: of the examples: ``text``, ``image`` or ``chat``.

    Raises:
        InputError: there is no such model.
    """
    if modality == "image":
        return "image-classification"
    if modality == "chat" or resolve(name).writes:
        return "causal-lm"
    return "text-classification"


def load_base(name: str, task: str, classes: Sequence[str], seed: int, settings: TuneSettings) -> Base:
    """Load a base model; the head of a classifier is fresh and follows from ``seed``.

    Raises:
        InputError: an unknown task, no such model, or one that does not serve the task.
    """
    match task:
        case "text-classification":
            return _text(name, classes, seed, settings)
        case "image-classification":
            return _image(name, classes, seed, settings)
        case "causal-lm":
            return _causal(name, settings)
    raise unknown_name("task", task, TASKS)


def load_trained(folder: Path, task: str, max_length: int) -> tuple[Trainable, Reader]:
    """What a training for ``task`` saved.

    Raises:
        InputError: the files are damaged or of another kind.
    """
    reference = resolve(str(folder.absolute()))
    if task == "image-classification":
        return load_pretrained(ImageClassifier, reference), ImageReader(Preparation.read(folder, str(folder)))
    if task == "causal-lm":
        model = LanguageModel.from_causal(load_pretrained(AutoModelForCausalLM, reference))
        return model, LanguageReader(CausalModel(reference.location, device="cpu"), max_length)
    return load_pretrained(TextClassifier, reference), TextReader(load_pretrained(AutoTokenizer, reference), max_length)


def _text(name: str, classes: Sequence[str], seed: int, settings: TuneSettings) -> Base:
    encoder = Encoder.load(name, device="cpu", max_length=settings.max_length)
    _check_known(encoder.model.config.model_type, name)
    model = TextClassifier.from_encoder(encoder, classes, seed, settings.dropout)
    return Base(model, TextReader(encoder.tokenizer, encoder.max_length), encoder.reference.fingerprint)


def _image(name: str, classes: Sequence[str], seed: int, settings: TuneSettings) -> Base:
    if name == SMALL_CNN:
        backbone, pools, preparation, fingerprint = SmallCnn.fresh(seed), True, SMALL_CNN_PREPARATION, f"{SMALL_CNN}-1"
    else:
        reference = resolve(name)
        backbone, pools = load_backbone(reference, torch.float32)
        preparation, fingerprint = Preparation.read(reference.location, name), reference.fingerprint
    unit = 255 * preparation.scale  # the reader hands out pixels between 0 and 1, whatever the model's own scale
    scale = tuple(value / unit for value in preparation.mean), tuple(value / unit for value in preparation.std)
    model = ImageClassifier.from_backbone(backbone, classes, seed, pools=pools, scale=scale, head_dropout=settings.dropout)
    return Base(model, ImageReader(preparation), fingerprint)


def _check_known(kind: str, name: str) -> None:
    """A model that brings its own code can be asked for vectors and losses; to be trained it is built anew, by its name."""
    if kind not in CONFIG_MAPPING:
        raise InputError(
            f"The model '{name}' is a {kind} model, which transformers does not know without the model's own code",
            expected="an architecture of transformers for fine-tuning",
            fix="use it frozen (confirm: {seeds: 0}), or fine-tune another model",
        )


def _causal(name: str, settings: TuneSettings) -> Base:
    source = CausalModel(name, device="cpu", max_length=settings.max_length)
    _check_known(source.model.config.model_type, name)
    model = LanguageModel.from_causal(source.model)
    reader = LanguageReader(CausalModel(name, device="cpu"), source.context)  # of its own: it needs the tokenizer alone
    return Base(model, reader, source.reference.fingerprint)
