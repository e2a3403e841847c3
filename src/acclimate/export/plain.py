"""Adapted models as plain ones of transformers: loaded by ``Auto...from_pretrained``, by programs that do not know acclimate.

A language model already is one. A classifier of pictures becomes the ``...ForImageClassification`` of its backbone where that one
has the same linear head. A classifier of texts takes the mean over tokens and then a linear layer; a mean and a linear layer may
change places, so it becomes a ``...ForTokenClassification``, the mean of whose logits over a text's tokens are the text's logits.
In each case the outputs are compared before anything is written.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForImageClassification, AutoModelForTokenClassification

from acclimate.engine.storage import atomic_path, write_text
from acclimate.errors import InputError
from acclimate.models.classifier import TextClassifier
from acclimate.models.image_classifier import ImageClassifier
from acclimate.models.loading import quiet
from acclimate.tune.adapted import Adapted
from acclimate.tune.card import model_card
from acclimate.tune.readers import ImageReader, MaskedReader, TextReader

#: How far logits may differ between the model and its plain form: float32 sums in another order.
TOLERANCE = 1e-4

_TEXT = """\
import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("this folder")
model = AutoModelForTokenClassification.from_pretrained("this folder").eval()
inputs = tokenizer(["..."], truncation=True, max_length={limit}, padding=True, return_tensors="pt")
with torch.no_grad():
    logits = model(**inputs).logits  # of every token; their mean over a text is the text's
mask = inputs["attention_mask"][..., None]
logits = (logits * mask).sum(1) / mask.sum(1)
print([model.config.id2label[row.argmax().item()] for row in logits])"""

_IMAGE = """\
import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageClassification

processor = AutoImageProcessor.from_pretrained("this folder")
model = AutoModelForImageClassification.from_pretrained("this folder").eval()
with torch.no_grad():
    logits = model(**processor(Image.open("a.png").convert("RGB"), return_tensors="pt")).logits
print(model.config.id2label[logits.argmax().item()])"""

_CAUSAL = """\
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("this folder")
model = AutoModelForCausalLM.from_pretrained("this folder")
print(tokenizer.decode(model.generate(**tokenizer("...", return_tensors="pt"), max_new_tokens=40)[0]))"""

_MASKED = """\
from transformers import pipeline

print(pipeline("fill-mask", model="this folder")("..."))  # with the tokenizer's mask in it"""


def export_model(adapted: Adapted, folder: Path | str) -> str:
    """Write an adapted model as a plain one: weights (safetensors), configuration, tokenizer or image processor, and card.

    Returns:
        The class of transformers that it is.

    Raises:
        InputError: no class of transformers gives the same outputs.
        RunError: the folder cannot be written.
    """
    place = Path(folder)
    model, use = _plain(adapted)
    with tempfile.TemporaryDirectory() as scratch, quiet():
        model.save_pretrained(scratch)
        adapted.reader.save(Path(scratch))
        for file in sorted(Path(scratch).iterdir()):
            with atomic_path(place / file.name) as temporary:
                shutil.copyfile(file, temporary)
    write_text(place / "README.md", model_card(adapted.about, adapted.classes, use.split("\n"), library="transformers"))
    return type(model).__name__


def _plain(adapted: Adapted) -> tuple[Any, str]:
    """The plain model, and how it is used."""
    model, reader = adapted.model.eval(), adapted.reader
    if isinstance(model, TextClassifier) and isinstance(reader, TextReader):
        return plain_text(model, reader), _TEXT.format(limit=reader.max_length)
    if isinstance(model, ImageClassifier) and isinstance(reader, ImageReader):
        return plain_image(model), _IMAGE
    return cast("Any", model).inner, _MASKED if isinstance(reader, MaskedReader) else _CAUSAL


def plain_text(model: TextClassifier, reader: TextReader) -> Any:
    """A classifier of texts as one of tokens, see the module.

    Raises:
        InputError: transformers has none for this encoder that is a linear layer on its last vectors.
    """
    made = _with_head(AutoModelForTokenClassification, model.encoder, model)
    inputs = reader(["a short text", "and a longer one: with more words, 42 of them; 也有中文。"])
    with torch.no_grad():
        mask = inputs["attention_mask"][..., None].to(model.device)
        given = {name: values.to(model.device) for name, values in inputs.items()}
        logits = (made(**given).logits * mask).sum(1) / mask.sum(1)
        return _checked(made, logits, model(**given).logits)


def plain_image(model: ImageClassifier) -> Any:
    """A classifier of pictures as the ``...ForImageClassification`` of its backbone; normalisation goes to the image processor.

    Raises:
        InputError: transformers has none for this backbone that has the same head.
    """
    made = _with_head(AutoModelForImageClassification, model.backbone, model)
    side = int(getattr(model.backbone.config, "image_size", 0) or 64)
    pixels = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(0)).to(model.device)
    with torch.no_grad():
        return _checked(made, made(pixel_values=(pixels - model.mean) / model.std).logits, model(pixel_values=pixels).logits)


def _with_head(auto_class: Any, body: Any, model: TextClassifier | ImageClassifier) -> Any:
    """``auto_class`` for a body's architecture, with the weights of body and head."""
    settings = {name: value for name, value in body.config.to_dict().items() if name not in ("model_type", "id2label", "label2id")}
    names = {"id2label": model.config.id2label, "label2id": model.config.label2id}
    try:
        config = AutoConfig.for_model(body.config.model_type, **{**settings, **names})
        with torch.random.fork_rng(devices=[]), quiet():
            made = auto_class.from_config(config).to(model.device).eval()
        _fill(made, body, model.head)
    except (ValueError, KeyError, StopIteration, RuntimeError) as error:
        raise _no_plain_form(body) from error
    return made


def _fill(made: Any, body: nn.Module, head: nn.Linear) -> None:
    """Copy weights; what the plain body lacks (a pooler that is not used) is left out, what it has must be there."""
    inner = made.base_model
    given = body.state_dict()
    inner.load_state_dict({name: given[name] for name in inner.state_dict()})
    own = {id(part) for part in inner.modules()}
    last = next(part for part in reversed(list(made.modules())) if isinstance(part, nn.Linear) and id(part) not in own)
    last.load_state_dict(head.state_dict())


def _checked(made: Any, logits: Tensor, expected: Tensor) -> Any:
    if logits.shape != expected.shape or (logits - expected).abs().max() > TOLERANCE * max(1.0, float(expected.abs().max())):
        raise _no_plain_form(made.base_model)
    return made


def _no_plain_form(body: Any) -> InputError:
    return InputError(
        f"transformers has no class that does what this classifier with a {type(body).__name__} does",
        expected="an encoder such as BERT, RoBERTa or E5, a backbone such as ResNet or ConvNeXt, or a language model",
        fix="load the folder as it is: acclimate.tune.adapted.Adapted.load(folder)",
    )
