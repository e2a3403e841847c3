"""Tokens are hidden in the shares of the paper, anew at every visit, and the same whoever stands beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from acclimate.models.language_model import MaskedLanguageModel
from acclimate.models.objective import IGNORED
from acclimate.tune.masking import hide, visit_generator
from acclimate.tune.readers import MaskedReader
from tests.small_models import make_masked


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_masked(tmp_path_factory.mktemp("masked"))


def reader_of(folder: Path, **settings: object) -> MaskedReader:
    return MaskedReader(transformers.AutoTokenizer.from_pretrained(folder), 32, **settings)  # type: ignore[arg-type]


def test_of_many_tokens_15_percent_are_asked_for_80_10_10() -> None:
    ids = np.arange(20_000)
    seen, places = hide(ids, np.ones(20_000, bool), mask=-1, choices=np.array([-2]), rng=np.random.default_rng(0))
    assert len(places) == 3_000
    assert (np.delete(seen, places) == np.delete(ids, places)).all()
    shares = [np.mean(seen[places] == what) for what in (-1, -2, ids[places])]
    assert np.abs(np.subtract(shares, [0.8, 0.1, 0.1])).max() < 0.025  # some four standard errors


@given(st.lists(st.booleans(), max_size=40), st.integers(0, 99))
def test_marks_are_never_hidden_and_every_text_is_asked_for_something(maskable: list[bool], seed: int) -> None:
    flags = np.asarray(maskable, dtype=bool)
    seen, places = hide(np.arange(len(flags)), flags, mask=99, choices=np.array([98]), rng=np.random.default_rng(seed))
    assert flags[places].all()
    assert len(places) == (max(1, round(0.15 * flags.sum())) if flags.any() else 0)
    assert len(set(places.tolist())) == len(places)
    assert seen.shape == flags.shape


def test_what_is_hidden_of_a_text_follows_from_seed_text_and_visit_alone(masked: Path) -> None:
    texts = ["the quick brown fox jumps over the lazy dog", "dog", "", "不 精彩 电影 quick quick brown"]
    together = reader_of(masked, seed=3).visit(texts, [0, 1, 0, 2])
    for row, (text, visit) in enumerate(zip(texts, [0, 1, 0, 2], strict=True)):
        alone = reader_of(masked, seed=3).visit([text], [visit])
        width, asked = alone["input_ids"].shape[1], alone["labels"].shape[1]
        assert torch.equal(together["input_ids"][row, :width], alone["input_ids"][0])
        assert torch.equal(together["labels"][row, :asked], alone["labels"][0])
    draws = {tuple(reader_of(masked, seed=s).visit(texts[:1], [v])["input_ids"][0].tolist()) for s in range(3) for v in range(4)}
    assert len(draws) > 6


def test_visits_draw_from_streams_of_their_own() -> None:
    ids = np.arange(5)
    draws = [visit_generator(seed, ids, visit).random() for seed, visit in [(0, 0), (0, 1), (1, 0), (0, 0)]]
    assert draws[0] == draws[3]
    assert len(set(draws)) == 3


def test_the_head_scores_hidden_places_as_the_whole_model_does(masked: Path) -> None:
    whole = transformers.AutoModelForMaskedLM.from_pretrained(masked).eval()
    model = MaskedLanguageModel.copy_of(whole).eval()
    batch = reader_of(masked).visit(["the quick brown fox jumps", "a lazy dog over the fox and good bad"], [0, 1])
    with torch.no_grad():
        logits = model.classify(model.represent(batch))
        expected = whole(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
        everywhere = model.classify(model.represent({k: v for k, v in batch.items() if k != "masked"}))
    assert torch.allclose(everywhere, expected, atol=1e-5)
    for row in range(2):
        for place, label in zip(batch["masked"][row].tolist(), batch["labels"][row].tolist(), strict=True):
            if label != IGNORED:
                assert torch.allclose(logits[row, batch["masked"][row].tolist().index(place)], expected[row, place], atol=1e-5)


@pytest.mark.parametrize("kind", ["roberta", "distilbert", "electra", "modernbert"])
def test_heads_of_other_architectures_are_found(kind: str) -> None:
    small = {"vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    names = {"distilbert": {"vocab_size": 40, "dim": 16, "n_layers": 1, "n_heads": 2, "hidden_dim": 16}}
    marks = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
    config = transformers.AutoConfig.for_model(kind, **names.get(kind, small), **marks)
    whole = transformers.AutoModelForMaskedLM.from_config(config).eval()
    model = MaskedLanguageModel.copy_of(whole).eval()
    ids = torch.tensor([[3, 4, 5, 6]])
    mask, places = torch.ones_like(ids), torch.tensor([[1, 3]])
    with torch.no_grad():
        found = model.classify(model.represent({"input_ids": ids, "attention_mask": mask, "masked": places}))
        assert torch.allclose(found, whole(input_ids=ids, attention_mask=mask).logits[:, [1, 3]], atol=1e-5)


def test_long_texts_are_read_in_pieces_with_their_marks(masked: Path) -> None:
    text = " ".join(["quick", "brown", "fox"] * 30)
    pieces = reader_of(masked, overlap=0).pieces(text)
    assert [len(piece) for piece in pieces] == [32, 32, 32]
    words = np.concatenate([piece.ids[piece.scored] for piece in pieces])
    assert words.tolist() == reader_of(masked).tokenizer(text, add_special_tokens=False)["input_ids"]
    assert all(not piece.scored[[0, -1]].any() for piece in pieces)
    assert len(reader_of(masked).pieces(text)) == 1
