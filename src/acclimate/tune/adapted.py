"""A fine-tuned classifier: predicts, is saved, is loaded."""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from transformers import AutoTokenizer

from acclimate.engine.storage import atomic_path, read_json, write_json, write_text
from acclimate.errors import InputError
from acclimate.models.classifier import TextClassifier
from acclimate.models.device import pick_device
from acclimate.models.encoder import Encoder
from acclimate.models.loading import load_pretrained, quiet
from acclimate.models.reference import ModelReference, resolve
from acclimate.tune.linear import linear_logits, softmax

#: What acclimate needs beside Hugging Face's own files; written last, so a folder that has it is whole.
ABOUT = "acclimate.json"


@dataclasses.dataclass
class Adapted:
    """A fine-tuned classifier.

    Attributes:
        model: encoder and head.
        tokenizer: of the encoder.
        max_length: tokens read of a text.
        about: how it was made: base model, settings, objectives, seed.
        history: what training logged, one mapping every few steps (``loss`` and each term); empty after loading.
    """

    model: TextClassifier
    tokenizer: Any
    max_length: int
    about: Mapping[str, Any]
    history: Sequence[Mapping[str, float]] = ()

    @property
    def classes(self) -> tuple[str, ...]:
        """The class names, in the order of the columns of :meth:`predict_proba`."""
        return self.model.classes

    def represent(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """``n`` texts to their vectors before the head, ``(n, d)``; each depends on its text alone, to the last bit."""
        reference = ModelReference(str(self.about.get("base", "")), "", "")
        encoder = Encoder(reference, self.model.eval().encoder, self.tokenizer, self.model.device, self.max_length)
        return encoder.encode(list(texts))

    def predict_proba(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """``n`` texts to class probabilities ``(n, c)``; each depends on its text alone, to the last bit."""
        head = self.model.head
        weight, bias = (part.detach().cpu().double().numpy() for part in (head.weight, head.bias))
        return softmax(linear_logits(self.represent(texts), weight, bias))

    def save(self, folder: Path | str) -> None:
        """Write weights (safetensors), configuration, tokenizer and a model card into ``folder``; other files there stay.

        Every file is whole or absent, and :data:`ABOUT` comes last. ``TextClassifier.from_pretrained(folder)`` reads it as well.

        Raises:
            RunError: the disk is full or the folder cannot be written.
        """
        place = Path(folder)
        (place / ABOUT).unlink(missing_ok=True)
        with tempfile.TemporaryDirectory() as scratch, quiet():
            self.model.save_pretrained(scratch)
            self.tokenizer.save_pretrained(scratch)
            for file in sorted(Path(scratch).iterdir()):
                with atomic_path(place / file.name) as temporary:
                    shutil.copyfile(file, temporary)
        write_text(place / "README.md", self._card())
        write_json(place / ABOUT, {**self.about, "max_length": self.max_length})

    @classmethod
    def load(cls, folder: Path | str, device: str = "auto") -> Self:
        """Read what :meth:`save` wrote.

        Raises:
            InputError: the folder holds no fine-tuned classifier, or a damaged one.
        """
        place = Path(folder)
        if not (place / ABOUT).is_file():
            raise InputError(
                f"'{place}' holds no fine-tuned classifier (there is no {ABOUT})",
                expected="a folder that `acclimate tune` wrote to its end",
                fix="check the folder, or tune again",
            )
        about = read_json(place / ABOUT)
        reference = resolve(str(place.absolute()))
        model = load_pretrained(TextClassifier, reference).to(pick_device(device)).eval()
        return cls(model, load_pretrained(AutoTokenizer, reference), about.pop("max_length"), about)

    def _card(self) -> str:
        lines = [f"- {name}: {value}" for name, value in self.about.items()]
        front = ["---", "library_name: acclimate", "pipeline_tag: text-classification", "---", ""]
        said = ["# A text classifier fine-tuned with acclimate", "", f"Classes: {', '.join(self.classes)}.", ""]
        read = [
            "",
            "```python",
            "from acclimate.tune.adapted import Adapted",
            'Adapted.load("this folder").predict_proba(["..."])',
            "```",
        ]
        return "\n".join([*front, *said, *lines, *read, ""])


def is_finished(folder: Path, training: str) -> bool:
    """Whether ``folder`` holds the whole model of exactly this training."""
    return (folder / ABOUT).is_file() and read_json(folder / ABOUT).get("training") == training
