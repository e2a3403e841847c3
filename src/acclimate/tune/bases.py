"""A base model by name, ready to be trained: for the class of a text or a picture, for the next token, or for hidden ones."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import torch
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from acclimate.errors import InputError, unknown_name
from acclimate.models.causal import CausalModel, resolve_causal
from acclimate.models.classifier import TextClassifier
from acclimate.models.encoder import Encoder
from acclimate.models.image_classifier import ImageClassifier
from acclimate.models.language_model import LanguageModel, MaskedLanguageModel
from acclimate.models.loading import load_pretrained
from acclimate.models.preparation import Preparation
from acclimate.models.reference import resolve
from acclimate.models.small_cnn import SIDE, SmallCnn
from acclimate.models.vision import load_backbone
from acclimate.tune.readers import ImageReader, LanguageReader, MaskedReader, Reader, TextReader
from acclimate.tune.seeds import derive
from acclimate.tune.settings import TuneSettings

#: What a model can be trained for, as recipes say it.
TASKS = ("text-classification", "image-classification", "causal-lm", "masked-lm")
#: Of these, the ones whose examples need no label.
LANGUAGE = ("causal-lm", "masked-lm")
#: The name of the network that is trained from scratch.
SMALL_CNN = "small-cnn"
#: How its pictures are prepared: digits keep their proportions, grey levels lie around 0.
SMALL_CNN_PREPARATION = Preparation((SIDE, SIDE), None, mean=(0.5,) * 3, std=(0.5,) * 3)

Trainable: TypeAlias = TextClassifier | ImageClassifier | LanguageModel


@dataclasses.dataclass(frozen=True, eq=False)
class Base:
    """A model that starts from pre-trained weights, what it reads, a fingerprint that changes when the base does, and what a user
    should know about it."""

    model: Trainable
    reader: Reader
    fingerprint: str
    notes: tuple[str, ...] = ()


def task_of(name: str, modality: str) -> str:
    """What a model is trained for where nobody says: language models for the next token, others for classes.

    Args:
        modality: of the examples: ``text``, ``image`` or ``chat``.

    Raises:
        InputError: there is no such model.
    """
    if modality == "image":
        return "image-classification"
    if modality == "chat" or resolve_causal(name).writes:
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
        case "masked-lm":
            return _masked(name, seed, settings)
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
        model = LanguageModel.copy_of(load_pretrained(AutoModelForCausalLM, reference))
        return model, LanguageReader(CausalModel(reference.location, device="cpu"), max_length)
    if task == "masked-lm":
        masked = MaskedLanguageModel.copy_of(load_pretrained(AutoModelForMaskedLM, reference))
        return masked, MaskedReader(load_pretrained(AutoTokenizer, reference), max_length)
    return load_pretrained(TextClassifier, reference), TextReader(load_pretrained(AutoTokenizer, reference), max_length)


def _text(name: str, classes: Sequence[str], seed: int, settings: TuneSettings) -> Base:
    encoder = Encoder.load(name, device="cpu", max_length=settings.max_length)
    _check_known(encoder.model.config.model_type, name)
    model = TextClassifier.from_encoder(encoder, classes, seed, settings.dropout)
    return Base(model, TextReader(encoder.tokenizer, encoder.max_length), encoder.reference.fingerprint)


def _image(name: str, classes: Sequence[str], seed: int, settings: TuneSettings) -> Base:
    if name == SMALL_CNN:
        backbone, pools, preparation, fingerprint = SmallCnn.fresh(seed), True, SMALL_CNN_PREPARATION, f"{SMALL_CNN}-2"
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
    model = LanguageModel.copy_of(source.model)
    if settings.packing:
        check_packs(name, model)
    overlap = settings.overlap if settings.long_documents == "split" else None
    reader = LanguageReader(CausalModel(name, device="cpu"), source.context, overlap)  # of its own: it needs the tokenizer alone
    return Base(model, reader, source.reference.fingerprint)


@torch.no_grad()
def check_packs(name: str, model: LanguageModel) -> None:
    """Refuse a model in which documents of one row see one another, or that does not count positions anew for each.

    Raises:
        InputError: as said; models that build their masks by themselves, or know no positions, are such.
    """
    documents = torch.tensor([[5, 6, 7, 8]]), torch.tensor([[9, 10, 11]])
    positions = torch.cat([torch.arange(4), torch.arange(3)])[None]
    row = torch.cat(documents, dim=1)
    model.eval()  # training sets it back
    alone = [model.represent({"input_ids": ids, "attention_mask": torch.ones_like(ids)}) for ids in documents]
    try:
        together = model.represent({"input_ids": row, "attention_mask": torch.ones_like(row), "position_ids": positions})
    except TypeError:  # it takes no positions
        together = torch.full_like(torch.cat(alone, dim=1), torch.nan)
    if not torch.allclose(together, torch.cat(alone, dim=1), rtol=1e-3, atol=1e-3):
        raise InputError(
            f"Documents that '{name}' ({model.inner.config.model_type}) reads in one row see one another",
            expected="a model of transformers whose attention begins anew where positions do, such as Llama, Qwen or GPT-NeoX",
            fix="set packing: false",
        )


def _masked(name: str, seed: int, settings: TuneSettings) -> Base:
    """The head of a model that was published without one is fresh, follows from ``seed``, and scores words by the embeddings."""
    if settings.packing:
        raise InputError("Packing was asked for a masked language model", expected="packing: false", fix="leave packing out")
    reference = resolve(name)
    tokenizer = load_pretrained(AutoTokenizer, reference)
    if tokenizer.mask_token is None:
        raise InputError(
            f"The tokenizer of '{name}' has no mask",
            expected="a masked language model or an encoder such as BERT, RoBERTa, MiniLM or E5",
            fix="choose another model; one that predicts the next token is trained as causal-lm",
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "companions"))
        model, information = load_pretrained(AutoModelForMaskedLM, reference, output_loading_info=True)
    _check_known(model.config.model_type, name)
    body = f"{model.base_model_prefix}."
    absent = sorted(key for key in information["missing_keys"] if key.startswith(body) and "pooler" not in key)
    if absent:
        raise InputError(
            f"The weights of '{name}' lack {len(absent)} tensors of its architecture, such as {absent[0]}",
            expected="a whole model; missing weights would be random numbers",
            fix="download it again, or choose another model",
        )
    notes: list[str] = []
    if any(not key.startswith(body) for key in information["missing_keys"]):
        notes = [f"'{name}' was published without the head of a masked language model; it was given a fresh one, tied to its words"]
        warnings.warn(notes[0], stacklevel=2)
    limit = min(settings.max_length, tokenizer.model_max_length, getattr(model.config, "max_position_embeddings", 1 << 30))
    overlap = settings.overlap - 1 if settings.long_documents == "split" else None  # what is re-read is asked for again
    reader = MaskedReader(tokenizer, limit, derive(seed, "masking"), overlap)
    return Base(MaskedLanguageModel.copy_of(model), reader, reference.fingerprint, tuple(notes))
