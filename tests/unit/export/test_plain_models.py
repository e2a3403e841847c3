"""Adapted models for programs that do not know acclimate: the same outputs, and a card that says what they are."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import transformers
from huggingface_hub import ModelCard

from acclimate.data.domain import Domain, from_images
from acclimate.data.make import make_target
from acclimate.errors import InputError
from acclimate.export.plain import export_model
from acclimate.export.run import export
from acclimate.tune.adapted import Adapted
from acclimate.tune.card import licence_of, model_card
from acclimate.tune.run import tune
from tests.causal import make_causal
from tests.online import pictures
from tests.shift import sentences
from tests.small_models import make_masked
from tests.unit.tune.test_adapted import make_target as clinic

QUICK = {"steps": 3, "batch_size": 4, "lr": 1e-3}


def drawn(count: int, seed: int) -> Domain:
    return from_images(f"bars{seed}", *pictures(count, seed))


def test_a_classifier_of_texts_loads_without_acclimate(encoder_folder: Path, tmp_path: Path) -> None:
    adapted = tune(str(encoder_folder), clinic(), settings=QUICK, folder=tmp_path / "own")
    done = export(tmp_path / "own", tmp_path / "plain", to="transformers")
    assert "BertForTokenClassification" in done.command
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "plain")
    model = transformers.AutoModelForTokenClassification.from_pretrained(tmp_path / "plain").eval()
    texts = ["the nurse was good", "bad", "the film was bad and the visit good"]
    inputs = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        logits = model(**inputs).logits
    mask = inputs["attention_mask"][..., None]
    probabilities = ((logits * mask).sum(1) / mask.sum(1)).softmax(-1)
    torch.testing.assert_close(probabilities.double(), torch.from_numpy(adapted.predict_proba(texts)), atol=1e-5, rtol=1e-4)
    assert [model.config.id2label[number] for number in range(2)] == ["bad", "good"]
    assert not [file.name for file in (tmp_path / "plain").iterdir() if file.suffix in {".bin", ".pt", ".pkl", ".py"}]
    encoder = transformers.AutoModel.from_pretrained(tmp_path / "plain")
    weights = adapted.model.encoder.state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in encoder.state_dict().items() if "pooler" not in name)


def test_a_model_of_hidden_words_loads_without_acclimate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = make_masked(tmp_path / "base")
    adapted = tune(str(base), clinic(), settings=QUICK, task="masked-lm")
    assert export_model(adapted, tmp_path / "plain") == "BertForMaskedLM"
    card = ModelCard.load(tmp_path / "plain" / "README.md")
    assert card.data.pipeline_tag == "fill-mask"
    code = card.text.split("```python\n")[1].split("```")[0]
    exec(code.replace("this folder", str(tmp_path / "plain")).replace('"..."', '"the nurse was [MASK]"'), {})
    assert "token_str" in capsys.readouterr().out


def test_a_card_names_the_base_model_whatever_came_before_fine_tuning() -> None:
    told = model_card({"base": "asset:minilm + tapt", "task": "text-classification"})
    assert "base_model: sentence-transformers/all-MiniLM-L6-v2" in told
    assert "as `asset:minilm + tapt`" in told


def test_the_card_runs_as_it_says(encoder_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    adapted = tune(str(encoder_folder), clinic(), settings=QUICK)
    export_model(adapted, tmp_path)
    code = ModelCard.load(tmp_path / "README.md").text.split("```python\n")[1].split("```")[0]
    exec(code.replace("this folder", str(tmp_path)).replace('"..."', '"the nurse was good"'), {})
    expected = adapted.classes[adapted.predict_proba(["the nurse was good"]).argmax()]
    assert capsys.readouterr().out.splitlines()[-1] == f"['{expected}']"


@pytest.mark.parametrize("architecture", ["resnet", "convnext"])
def test_a_classifier_of_pictures_loads_without_acclimate(architecture: str, tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if architecture == "resnet":
            base = transformers.ResNetModel(
                transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], layer_type="basic")
            )
        else:
            base = transformers.ConvNextModel(transformers.ConvNextConfig(hidden_sizes=[8, 16], depths=[1, 1], num_stages=2))
        base.save_pretrained(tmp_path / "base")
    prepared = {"size": {"height": 32, "width": 32}, "image_mean": [0.4, 0.5, 0.6], "image_std": [0.5, 0.2, 0.3]}
    transformers.ViTImageProcessor(**prepared).save_pretrained(tmp_path / "base")
    adapted = tune(str(tmp_path / "base"), make_target(drawn(20, 1), test=drawn(8, 2)), settings=QUICK)
    export_model(adapted, tmp_path / "plain")
    model = transformers.AutoModelForImageClassification.from_pretrained(tmp_path / "plain").eval()
    contents = pictures(5, 4)[0]
    pixels = torch.stack([torch.from_numpy(adapted.reader.preparation(content)) for content in contents])
    with torch.no_grad():
        probabilities = model(pixel_values=pixels).logits.softmax(-1)
    torch.testing.assert_close(probabilities.double(), torch.from_numpy(adapted.predict_proba(contents)), atol=1e-4, rtol=1e-3)
    told = transformers.AutoImageProcessor.from_pretrained(tmp_path / "plain")
    assert list(told.image_mean) == pytest.approx([0.4, 0.5, 0.6])


def test_what_has_no_plain_form_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    adapted = tune("small-cnn", make_target(drawn(20, 1), test=drawn(8, 2)), settings={**QUICK, "steps": 1})
    with pytest.raises(InputError, match="no class that does what this classifier with a SmallCnn does"):
        export_model(adapted, tmp_path / "plain")
    assert not (tmp_path / "plain").exists()


@pytest.mark.parametrize("parameters", ["lora", "dora"])
def test_merged_adapters_give_the_logits_of_the_adapted_model(parameters: str, tmp_path: Path) -> None:
    from acclimate.tune.bases import load_base
    from acclimate.tune.peft import restrict
    from acclimate.tune.settings import TuneSettings

    causal = make_causal(tmp_path / "llama")
    settings = TuneSettings(parameters=parameters, rank=4)
    base = load_base(str(causal), "causal-lm", (), 0, settings)
    model = base.model.eval()
    adapters = restrict(model, settings, seed=0)
    for name, value in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(value, std=0.1)
    ids = base.reader(["the nurse was good", "bad"])["input_ids"]
    with torch.no_grad():
        beside = model(input_ids=ids).logits
        plain = transformers.AutoModelForCausalLM.from_pretrained(causal).eval()(input_ids=ids).logits
        assert (beside - plain).abs().max() > 1e-2  # the adapters do something
        adapters.merge()
        export_model(Adapted(model, base.reader, {"task": "causal-lm", "base": str(causal)}), tmp_path / "out")
        merged = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "out").eval()
        torch.testing.assert_close(merged(input_ids=ids).logits, beside, rtol=1e-4, atol=1e-4)
    assert not [name for name in merged.state_dict() if "lora" in name]
    assert len(transformers.AutoTokenizer.from_pretrained(tmp_path / "out")("the nurse was good")["input_ids"]) == ids.shape[1]


def about(**more: object) -> dict[str, object]:
    return {
        "task": "text-classification",
        "base": "asset:minilm",
        "base_fingerprint": "abc",
        "seed": 3,
        "settings": {"lr": 1e-4},
        "objectives": [],
        "versions": {"torch": "2"},
        "facts": {
            "arm": "dsir 20% + target",
            "data": {"target": "nyt, 100 labelled and 5 unlabelled examples", "source": "tweets, 9 examples"},
            "datasets": ["hf:stanfordnlp/imdb@plain_text:train", "asset:icwsm4"],
            "evidence": {
                "target": "nyt",
                "scores": {"accuracy": 0.81, "macro_f1": 0.8},
                "items": 500,
                "seeds": 5,
                "fidelity": "fine-tune",
                "verdict": "helped",
                "sentence": "+2.1 points of accuracy against 'target-only', 95% interval +0.9 to +3.3, p 0.001 (Holm)",
            },
        },
        **more,
    }


def test_the_header_is_read_by_the_hubs_own_library(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text(model_card(about(), ("bad", "good")), encoding="utf-8")
    card = ModelCard.load(tmp_path / "README.md")
    assert card.data.base_model == "sentence-transformers/all-MiniLM-L6-v2"
    assert card.data.license == "apache-2.0"
    assert card.data.pipeline_tag == "text-classification"
    assert card.data.datasets == ["stanfordnlp/imdb"]
    assert {result.metric_type: result.metric_value for result in card.data.eval_results} == {"accuracy": 0.81, "macro_f1": 0.8}
    for said in ("**helped**: +2.1 points", "dsir 20% + target", "tweets, 9 examples", "seed: 3", "torch 2", "licence: apache-2.0"):
        assert said in card.text


def test_a_card_without_evidence_says_so_and_an_unknown_licence_is_no_licence(encoder_folder: Path, tmp_path: Path) -> None:
    tune(str(encoder_folder), clinic(), settings=QUICK, folder=tmp_path)
    card = ModelCard.load(tmp_path / "README.md")
    assert "Not measured" in card.text
    assert "licence: not known here" in card.text
    assert card.data.license is None
    assert "clinic, 12 labelled and 8 unlabelled examples" in card.text


def test_the_licence_of_a_local_base_is_that_of_its_card(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("---\nlicense: mit\n---\n# mine\n", encoding="utf-8")
    assert licence_of(str(tmp_path)) == "mit"
    (tmp_path / "README.md").write_text("---\nlicense: [a\n---\n", encoding="utf-8")
    assert licence_of(str(tmp_path)) is None
    assert licence_of("no-such/model") is None


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds no adapted model"):
        export(tmp_path, tmp_path / "out", to="transformers")


def test_texts_of_other_encoders_have_a_plain_form_too(encoder_folder: Path, tmp_path: Path) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = transformers.DistilBertConfig(
            vocab_size=60, dim=32, n_layers=1, n_heads=2, hidden_dim=48, max_position_embeddings=64
        )
        transformers.DistilBertModel(config).save_pretrained(tmp_path / "base")
    transformers.AutoTokenizer.from_pretrained(encoder_folder).save_pretrained(tmp_path / "base")
    adapted = tune(str(tmp_path / "base"), clinic(), settings=QUICK)
    assert export_model(adapted, tmp_path / "plain") == "DistilBertForTokenClassification"
    assert sentences("clinic", 2, seed=1).texts
