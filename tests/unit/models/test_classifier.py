"""The classifier: what it computes, what it starts from, and that it survives the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from acclimate.models.classifier import TextClassifier
from acclimate.models.encoder import Encoder

TEXTS = ["the parcel was good", "bad", "the doctor and the nurse was very very fine 1 2 3"]


@pytest.fixture(scope="module")
def encoder(encoder_folder: Path) -> Encoder:
    return Encoder.load(str(encoder_folder), device="cpu", max_length=32)


def tokens(encoder: Encoder, texts: list[str]) -> dict[str, torch.Tensor]:
    encoded = encoder.tokenizer(texts, padding=True, return_tensors="pt", return_token_type_ids=False)
    return {"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"]}


def test_it_represents_a_text_as_the_frozen_encoder_does(encoder: Encoder) -> None:
    model = TextClassifier.from_encoder(encoder, ("bad", "good"), seed=0).eval()
    with torch.no_grad():
        representation = model.represent(tokens(encoder, TEXTS))
    torch.testing.assert_close(representation, torch.from_numpy(encoder.encode(TEXTS)), atol=1e-5, rtol=1e-5)


def test_padding_does_not_enter_the_mean(encoder: Encoder) -> None:
    model = TextClassifier.from_encoder(encoder, ("bad", "good"), seed=0).eval()
    with torch.no_grad():
        together = model.represent(tokens(encoder, TEXTS))[1]
        alone = model.represent(tokens(encoder, TEXTS[1:2]))[0]
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_logits_are_the_head_of_the_representation(encoder: Encoder) -> None:
    model = TextClassifier.from_encoder(encoder, ("bad", "good"), seed=0).eval()
    inputs = tokens(encoder, TEXTS)
    with torch.no_grad():
        expected = model.represent(inputs) @ model.head.weight.T + model.head.bias
        torch.testing.assert_close(model(**inputs).logits, expected)


def test_the_head_depends_on_the_seed_alone(encoder: Encoder) -> None:
    torch.manual_seed(5)
    first = TextClassifier.from_encoder(encoder, ("bad", "good"), seed=3)
    torch.manual_seed(6)
    same = TextClassifier.from_encoder(encoder, ("bad", "good"), seed=3, head_dropout=0.5)
    other = TextClassifier.from_encoder(encoder, ("bad", "good"), seed=4)
    assert torch.equal(first.head.weight, same.head.weight)
    assert not torch.equal(first.head.weight, other.head.weight)


def test_building_one_leaves_the_callers_random_draws_alone(encoder: Encoder) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    TextClassifier.from_encoder(encoder, ("bad", "good"), seed=0)
    assert torch.equal(torch.rand(3), expected)


def test_dropout_acts_before_the_head_only_while_training(encoder: Encoder) -> None:
    model = TextClassifier.from_encoder(encoder, ("bad", "good"), seed=0, head_dropout=0.5)
    representation = torch.ones(1, 32)
    assert not torch.equal(model.train().classify(representation), model.classify(representation))
    assert torch.equal(model.eval().classify(representation), model.classify(representation))


def test_saving_and_loading_keeps_every_weight_and_the_class_names(encoder: Encoder, tmp_path: Path) -> None:
    model = TextClassifier.from_encoder(encoder, ("差", "good", "so-so"), seed=0)
    model.save_pretrained(tmp_path)
    again = TextClassifier.from_pretrained(tmp_path, use_safetensors=True)
    assert again.classes == ("差", "good", "so-so")
    weights = again.state_dict()
    assert list(weights) == list(model.state_dict())
    assert all(torch.equal(weights[name], value) for name, value in model.state_dict().items())
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors"}


def test_a_saved_model_does_not_name_the_folder_it_came_from(encoder: Encoder, encoder_folder: Path, tmp_path: Path) -> None:
    TextClassifier.from_encoder(encoder, ("bad", "good"), seed=0).save_pretrained(tmp_path)
    assert str(encoder_folder) not in (tmp_path / "config.json").read_text(encoding="utf-8")


def test_a_training_step_runs_inside_forward(encoder: Encoder) -> None:
    model = TextClassifier.from_encoder(encoder, ("bad", "good"), seed=0)
    inputs = tokens(encoder, TEXTS)
    loss = model(step=lambda classifier: classifier.classify(classifier.represent(inputs)).square().mean()).loss
    loss.backward()
    assert model.head.weight.grad is not None
    assert model.encoder.embeddings.word_embeddings.weight.grad is not None
