"""Pre-training that goes on before fine-tuning: it learns, it is deterministic, it can be killed, and it sees no test."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

from acclimate.data.domain import Domain, from_columns
from acclimate.data.make import make_target
from acclimate.data.target import Target
from acclimate.errors import InputError
from acclimate.models.causal import CausalModel
from acclimate.models.encoder import Encoder
from acclimate.tune.adapted import Adapted
from acclimate.tune.examples import gather
from acclimate.tune.learn import STAGES
from acclimate.tune.learn.stages import Corpora, build_stages, carried_out
from acclimate.tune.run import tune
from acclimate.tune.settings import TuneSettings
from acclimate.tune.trainer import fine_tune
from tests.causal import make_causal
from tests.shift import sentences
from tests.small_models import make_masked

QUICK = {"steps": 2, "batch_size": 4}
STAGE = {"steps": 12, "batch_size": 8, "lr": 3e-3, "max_length": 32}
SETTINGS = {name: {**STAGE} for name in ("dapt", "tapt")} | {"vocabulary": {"count": 3, "least": 2}}


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {"masked": make_masked(tmp_path_factory.mktemp("m")), "causal": make_causal(tmp_path_factory.mktemp("c"))}


def clinic(corrupt: str = "") -> Target:
    parts = {"labelled": sentences("clinic", 40, seed=1), "test": sentences("clinic", 20, seed=2, name="test")}
    if corrupt:
        labels = ["good" if label == "bad" else "bad" for label in parts["test"].labels]
        parts["test"] = from_columns("test", parts["test"].texts, labels)
    return make_target(parts["labelled"], test=parts["test"])


def corpus() -> Domain:
    return from_columns("corpus", [f"{text} amid zzgood doctors" for text in sentences("clinic", 60, seed=7).texts], None)


def hidden_loss(adapted: Adapted, texts: list[str]) -> float:
    batch = adapted.reader(texts)
    with torch.no_grad():
        logits = adapted.model.eval().classify(adapted.model.represent(batch))
    return float(torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch["labels"].flatten(), ignore_index=-100))


@pytest.mark.parametrize("name", list(STAGES))
@pytest.mark.parametrize("kind", ["masked", "causal"])
def test_every_stage_leaves_a_model_that_tuning_starts_from(name: str, kind: str, bases: dict[str, Path], tmp_path: Path) -> None:
    spec = {"method": name, **SETTINGS[name]}
    more: dict[str, Any] = {"settings": QUICK, "task": "text-classification", "seed": 3}
    made = [tune(str(bases[kind]), clinic(corrupt), pretrain=[spec], corpus=corpus(), **more) for corrupt in ("", "test")]
    plain = tune(str(bases[kind]), clinic(), **more)
    states = [adapted.model.state_dict() for adapted in made]
    assert all(torch.equal(value, states[1][key]) for key, value in states[0].items())  # the test's labels change nothing
    assert str(made[0].about["base"]).endswith(f"+ {name}")
    texts = ["a zzgood doctor amid doctors", "a bad doctor amid doctors"]
    assert not np.allclose(made[0].predict_proba(texts), plain.predict_proba(texts))
    made[0].save(tmp_path)
    assert (Adapted.load(tmp_path, device="cpu").predict_proba(texts) == made[0].predict_proba(texts)).all()


def test_hidden_words_of_the_domain_are_found_better_afterwards(bases: dict[str, Path], tmp_path: Path) -> None:
    settings = TuneSettings(steps=80, batch_size=16, lr=5e-3, max_length=32)
    held_out = sentences("clinic", 60, seed=8).texts
    losses = []
    for steps in (1, 80):
        given = gather(None, target=corpus())
        adapted = fine_tune(str(bases["masked"]), given, (), dataclasses.replace(settings, steps=steps), task="masked-lm")
        losses.append(hidden_loss(adapted, held_out))
    assert losses[1] < losses[0] - 1
    adapted.save(tmp_path)
    assert transformers.AutoModelForMaskedLM.from_pretrained(tmp_path).config.architectures == ["BertForMaskedLM"]
    again = Adapted.load(tmp_path, device="cpu")
    assert hidden_loss(again, held_out) == pytest.approx(losses[1], abs=0.5)  # another draw of hidden words
    assert Encoder.load(str(tmp_path), device="cpu").encode(["good"]).shape == (1, 32)


def test_an_encoder_without_a_head_gets_one_that_is_said_and_follows_from_the_seed(encoder_folder: Path) -> None:
    given = gather(None, target=corpus())
    settings = TuneSettings(steps=1, batch_size=2, max_length=32)
    with pytest.warns(UserWarning, match="published without the head"):
        first = fine_tune(str(encoder_folder), given, (), settings, task="masked-lm", seed=1)
    assert "fresh one" in first.about["notes"][0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.manual_seed(99)
        same = fine_tune(str(encoder_folder), given, (), settings, task="masked-lm", seed=1)
        other = fine_tune(str(encoder_folder), given, (), settings, task="masked-lm", seed=2)
    inner = first.model.inner  # type: ignore[union-attr]
    assert inner.get_output_embeddings().weight is inner.get_input_embeddings().weight
    weights = [adapted.model.state_dict() for adapted in (first, same, other)]
    assert all(torch.equal(value, weights[1][key]) for key, value in weights[0].items())
    assert any(not torch.equal(value, weights[2][key]) for key, value in weights[0].items())


def test_a_causal_model_goes_on_with_packed_texts(bases: dict[str, Path], tmp_path: Path) -> None:
    held_out = sentences("clinic", 30, seed=8).texts
    stages = build_stages([{"method": "dapt", **STAGE, "steps": 30}])
    before, counts = CausalModel(str(bases["causal"]), device="cpu").losses(held_out)
    with carried_out(str(bases["causal"]), stages, Corpora(corpus(), corpus()), folder=tmp_path) as start:
        after, _ = CausalModel(start.model, device="cpu").losses(held_out)
    assert after.sum() / counts.sum() < 0.9 * before.sum() / counts.sum()


def test_a_finished_stage_is_not_done_again(bases: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from acclimate.tune import trainer

    stages = build_stages([{"method": "tapt", **STAGE}])
    with carried_out(str(bases["masked"]), stages, Corpora(corpus()), folder=tmp_path) as start:
        written = (Path(start.model) / "model.safetensors").read_bytes()
    monkeypatch.setattr(trainer.TermTrainer, "train", lambda *_args, **_settings: pytest.fail("trained again"))
    with carried_out(str(bases["masked"]), stages, Corpora(corpus()), folder=tmp_path) as start:
        assert (Path(start.model) / "model.safetensors").read_bytes() == written


def test_stages_that_cannot_be_are_refused(bases: dict[str, Path]) -> None:
    with pytest.raises(InputError, match="did you mean 'tapt'"):
        build_stages(["tpat"])
    with pytest.raises(InputError, match=r"'tapt' has no setting 'stpes'.*did you mean 'steps'"):
        build_stages([{"method": "tapt", "stpes": 3}])
    with pytest.raises(InputError, match="tune setting steps"):
        build_stages([{"method": "dapt", "steps": 0}])
    with (
        pytest.raises(InputError, match="needs a corpus"),
        carried_out(str(bases["masked"]), build_stages(["dapt"]), Corpora(corpus())),
    ):
        pass
    causal = str(bases["causal"])
    with pytest.raises(InputError, match="has no mask"):
        fine_tune(causal, gather(None, target=corpus()), (), TuneSettings(steps=1), task="masked-lm")
