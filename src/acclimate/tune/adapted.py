"""A fine-tuned model: predicts, is saved, is loaded."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from acclimate.engine.storage import atomic_path, read_json, write_json, write_text
from acclimate.errors import InputError
from acclimate.models.classifier import TextClassifier
from acclimate.models.device import pick_device
from acclimate.models.encoder import Encoder
from acclimate.models.image_classifier import ImageClassifier
from acclimate.models.language_model import LanguageModel
from acclimate.models.loading import quiet
from acclimate.models.reference import ModelReference
from acclimate.models.vision import VisionEncoder
from acclimate.tune.bases import TASKS, Trainable, load_trained
from acclimate.tune.card import model_card
from acclimate.tune.linear import linear_logits, softmax
from acclimate.tune.readers import ImageReader, Reader, Splitting, TextReader

#: What acclimate needs beside Hugging Face's own files; written last, so a folder that has it is whole.
ABOUT = "acclimate.json"


@dataclasses.dataclass
class Adapted:
    """A fine-tuned classifier of texts or images, or a language model.

    Attributes:
        model: a classifier (encoder or backbone, and head), or a language model.
        reader: how contents become its inputs.
        about: how it was made: task, base model, settings, objectives, seed.
        history: what training logged, one mapping every few steps (``loss`` and each term); empty after loading.
    """

    model: Trainable
    reader: Reader
    about: Mapping[str, Any]
    history: Sequence[Mapping[str, float]] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, in the order of the columns of :meth:`predict_proba`."""
        return self.model.classes

    @property
    def task(self) -> str:
        """One of :data:`acclimate.tune.bases.TASKS`."""
        return str(self.about.get("task", TASKS[0]))

    def represent(self, contents: Sequence[Any]) -> NDArray[np.float32]:
        """``n`` texts or encoded pictures to their vectors before the head, ``(n, d)``; each depends on its content alone, to the
        last bit.

        Raises:
            InputError: it is a language model, which has a vector for every token.
        """
        reference = ModelReference(str(self.about.get("base", "")), "", "")
        device, model, reader = self.model.device, self.model.eval(), self.reader
        if isinstance(model, TextClassifier) and isinstance(reader, TextReader):
            return Encoder(reference, model.encoder, reader.tokenizer, device, reader.max_length).encode(list(contents))
        if isinstance(model, ImageClassifier) and isinstance(reader, ImageReader):
            return VisionEncoder(reference, model.backbone, reader.preparation, device, model.config.pools).encode(contents)
        raise InputError(
            "A language model has no classes and no single vector for a text",
            expected="a classifier",
            fix="measure it by its losses: save it, then CausalModel(folder).losses(texts)",
        )

    def predict_proba(self, contents: Sequence[Any]) -> NDArray[np.float64]:
        """``n`` texts or pictures to class probabilities ``(n, c)``; each depends on its content alone, to the last bit."""
        vectors = self.represent(contents)
        head = self.model.head
        weight, bias = (part.detach().cpu().double().numpy() for part in (head.weight, head.bias))
        return softmax(linear_logits(vectors, weight, bias))

    def save(self, folder: Path | str) -> None:
        """Write weights (safetensors), configuration, what reads its inputs and a model card into ``folder``; other files stay.

        Every file is whole or absent, and :data:`ABOUT` comes last. A classifier's ``from_pretrained(folder)`` reads it as well;
        of a language model any program that reads models of transformers.

        Raises:
            RunError: the disk is full or the folder cannot be written.
        """
        place = Path(folder)
        (place / ABOUT).unlink(missing_ok=True)
        with tempfile.TemporaryDirectory() as scratch, quiet():
            model = self.model.inner if isinstance(self.model, LanguageModel) else self.model
            model.save_pretrained(scratch)
            self.reader.save(Path(scratch))
            for file in sorted(Path(scratch).iterdir()):
                with atomic_path(place / file.name) as temporary:
                    shutil.copyfile(file, temporary)
        write_text(place / "README.md", model_card(self.about, self.classes))
        limit = {"max_length": self.reader.max_length} if isinstance(self.reader, (TextReader, Splitting)) else {}
        write_json(place / ABOUT, {**self.about, **limit})

    @classmethod
    def load(cls, folder: Path | str, device: str = "auto") -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            InputError: the folder holds no fine-tuned model, or a damaged one.
        """
        place = Path(folder)
        if not (place / ABOUT).is_file():
            raise InputError(
                f"'{place}' holds no fine-tuned model (there is no {ABOUT})",
                expected="a folder that `acclimate tune` wrote to its end",
                fix="check the folder, or tune again",
            )
        about = read_json(place / ABOUT)
        model, reader = load_trained(place, about.get("task", TASKS[0]), about.pop("max_length", 0))
        return cls(model.to(pick_device(device)).eval(), reader, about)


def is_finished(folder: Path, training: str) -> bool:
    """Whether ``folder`` holds the whole model of exactly this training."""
    return (folder / ABOUT).is_file() and read_json(folder / ABOUT).get("training") == training
