"""Image classifiers and language models in two halves: what they compute, start from, and that they survive the disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers

from acclimate.data.images import encoded
from acclimate.errors import InputError
from acclimate.models.efficientnet_lite import EfficientNetLite, EfficientNetLiteConfig
from acclimate.models.image_classifier import ImageClassifier
from acclimate.models.language_model import LanguageModel
from acclimate.models.layers import find_layers
from acclimate.models.objective import IGNORED
from acclimate.models.preparation import Preparation
from acclimate.models.reference import ModelReference
from acclimate.models.small_cnn import SmallCnn
from acclimate.models.vision import VisionEncoder
from acclimate.tune.readers import ImageReader, LanguageReader
from tests.causal import make_causal

VIT = transformers.ViTConfig(
    hidden_size=32, num_hidden_layers=3, num_attention_heads=2, intermediate_size=48, image_size=32, patch_size=8
)
RESNET = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 2], layer_type="basic")
CONVNEXT = transformers.ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2)
LITE = EfficientNetLiteConfig(stages=[[1, 3, 1, 1, 8], [1, 3, 2, 2, 12]], image_size=32, hidden_size=16)
SCALE = ((0.5, 0.4, 0.3), (0.5, 0.2, 0.1))
PREPARATION = Preparation((32, 32), None, mean=SCALE[0], std=SCALE[1])


def backbone(name: str) -> transformers.PreTrainedModel:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = {
            "vit": lambda: transformers.ViTModel(VIT),
            "resnet": lambda: transformers.ResNetModel(RESNET),
            "convnext": lambda: transformers.ConvNextModel(CONVNEXT),
            "efficientnet-lite": lambda: EfficientNetLite(LITE),
            "small-cnn": lambda: SmallCnn.fresh(0),
        }
        return made[name]().eval()


DEPTHS = {"vit": 3, "resnet": 2, "convnext": 2, "efficientnet-lite": 2, "small-cnn": 4}
every_backbone = pytest.mark.parametrize("name", DEPTHS)
PICTURES = [encoded(np.random.default_rng(seed).integers(0, 256, (40, 30, 3), dtype=np.uint8)) for seed in range(3)]


@every_backbone
def test_it_represents_a_picture_as_the_frozen_backbone_does(name: str) -> None:
    frozen = backbone(name)
    model = ImageClassifier.from_backbone(frozen, ("a", "b"), seed=0, scale=SCALE).eval()
    inputs = ImageReader(PREPARATION)(PICTURES)
    assert 0 <= inputs["pixel_values"].min() < inputs["pixel_values"].max() <= 1
    with torch.no_grad():
        found = model.represent(inputs)
    expected = VisionEncoder(ModelReference("", "", ""), frozen, PREPARATION, torch.device("cpu")).encode(PICTURES)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-4, rtol=1e-4)
    assert model.depth == DEPTHS[name]


@every_backbone
def test_an_image_classifier_survives_the_disk(name: str, tmp_path: Path) -> None:
    model = ImageClassifier.from_backbone(backbone(name), ("a", "差", "c"), seed=0, scale=SCALE).eval()
    model.save_pretrained(tmp_path)
    again = ImageClassifier.from_pretrained(tmp_path, use_safetensors=True).eval()
    assert again.classes == ("a", "差", "c")
    inputs = ImageReader(PREPARATION)(PICTURES)
    with torch.no_grad():
        torch.testing.assert_close(again(**inputs).logits, model(**inputs).logits)


def test_a_head_depends_on_the_seed_alone() -> None:
    first, same, other = (ImageClassifier.from_backbone(backbone("resnet"), ("a", "b"), seed=seed) for seed in (1, 1, 2))
    assert torch.equal(first.head.weight, same.head.weight)
    assert not torch.equal(first.head.weight, other.head.weight)


def test_preparation_is_written_as_it_is_read(tmp_path: Path) -> None:
    for preparation in (PREPARATION, Preparation(40, (32, 30), resample=3, mean=SCALE[0], std=SCALE[1])):
        ImageReader(preparation).save(tmp_path)
        assert Preparation.read(tmp_path, "it") == preparation


def test_layers_are_the_largest_outer_list() -> None:
    config = transformers.BertConfig(vocab_size=8, hidden_size=8, num_hidden_layers=5, num_attention_heads=2, intermediate_size=8)
    assert len(find_layers(transformers.BertModel(config))) == 5
    with pytest.raises(InputError, match="No hidden layers"):
        find_layers(torch.nn.Linear(2, 2))


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_causal(tmp_path_factory.mktemp("llama"))


def language_model(folder: Path) -> LanguageModel:
    return LanguageModel.copy_of(transformers.AutoModelForCausalLM.from_pretrained(folder)).eval()


def test_a_language_models_halves_are_its_own_logits(causal: Path) -> None:
    from acclimate.models.causal import CausalModel

    model = language_model(causal)
    inputs = LanguageReader(CausalModel(str(causal), device="cpu"), 64)(["abc", "the long one"])
    labels = inputs.pop("labels")
    inner = transformers.AutoModelForCausalLM.from_pretrained(causal).eval()
    with torch.no_grad():
        torch.testing.assert_close(model(**inputs).logits, inner(**inputs).logits)
        torch.testing.assert_close(
            model.classify(model.represent(inputs, embedded=model.embed(inputs))), inner(**inputs).logits, atol=1e-5, rtol=1e-4
        )
    assert labels[0, :2].tolist() == inputs["input_ids"][0, 1:3].tolist()
    assert (labels[0, 2:] == IGNORED).all()
    assert labels[1, :-1].tolist() == inputs["input_ids"][1, 1:].tolist()


def test_of_a_conversation_the_answers_alone_are_asked_for(causal: Path) -> None:
    from acclimate.models.causal import CausalModel

    source = CausalModel(str(causal), device="cpu")
    turns = [{"role": "user", "content": "hello"}, {"role": "assistant", "content": "yes"}]
    read = LanguageReader(source, 64)([turns])
    asked = read["labels"][0][read["labels"][0] != IGNORED]
    assert source.tokenizer.decode(asked).startswith("yes")
    assert LanguageReader(source, 5)([turns, ""])["input_ids"].shape == (2, 5)


def test_tied_weights_stay_tied_on_the_disk(causal: Path, tmp_path: Path) -> None:
    model = language_model(causal)
    assert model.inner.get_output_embeddings().weight is model.inner.get_input_embeddings().weight
    model.save_pretrained(tmp_path)
    again = LanguageModel.from_pretrained(tmp_path, use_safetensors=True)
    assert again.inner.get_output_embeddings().weight is again.inner.get_input_embeddings().weight
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in model.state_dict().items())
