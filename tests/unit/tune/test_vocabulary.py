"""New tokens: those that save most, in tokenizers that still read everything else as before, as the mean of their pieces."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.domain import Domain, from_columns
from acclimate.errors import InputError
from acclimate.models.causal import CausalModel, resolve_causal
from acclimate.models.encoder import Encoder
from acclimate.tune.learn.vocabulary import Vocabulary, extend_vocabulary, further_merges, merged
from tests.causal import make_causal
from tests.small_models import make_masked

TEXTS = ["the quick stenosis of the renal artery", "renal stenosis again", "stenosis, renal; quick fox 电影"] * 4


def corpus() -> Domain:
    return from_columns("corpus", TEXTS, None)


@pytest.fixture(scope="module", params=["wordpiece", "bpe"])
def base(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return {"wordpiece": make_masked, "bpe": make_causal}[request.param](tmp_path_factory.mktemp(request.param))


def tokenizer_of(folder: Path) -> Any:
    return transformers.AutoTokenizer.from_pretrained(folder)


def count(tokenizer: Any, texts: list[str]) -> int:
    return sum(len(ids) for ids in tokenizer(texts)["input_ids"])


def test_fewer_tokens_say_the_same_and_the_rest_is_read_as_before(base: Path, tmp_path: Path) -> None:
    added = extend_vocabulary(str(base), corpus(), tmp_path, count=12, least=3)
    old, new = tokenizer_of(base), tokenizer_of(tmp_path)
    assert 0 < len(added) <= 12
    assert len(new) == len(old) + len(added)
    assert [new.convert_tokens_to_ids(token) for token in added] == list(range(len(old), len(new)))
    assert count(new, TEXTS) < count(old, TEXTS)
    assert all(new.decode(new(text)["input_ids"]) == old.decode(old(text)["input_ids"]) for text in TEXTS)
    other = "lazy dog jumps over"
    assert new(other)["input_ids"] == old(other)["input_ids"]


def test_new_rows_are_the_mean_of_their_pieces(base: Path, tmp_path: Path) -> None:
    added = extend_vocabulary(str(base), corpus(), tmp_path, count=12, least=3)
    old = tokenizer_of(base)
    auto = transformers.AutoModelForMaskedLM if "[MASK]" in old.get_vocab() else transformers.AutoModelForCausalLM
    before, after = auto.from_pretrained(base), auto.from_pretrained(tmp_path)
    tables = before.get_input_embeddings().weight, after.get_input_embeddings().weight
    known = len(old)
    assert after.config.vocab_size == known + len(added)
    assert torch.equal(tables[1][:known], tables[0][:known])
    for row, token in enumerate(added, known):
        pieces = [piece.id for piece in old.backend_tokenizer.model.tokenize(token)]
        assert torch.allclose(tables[1][row], tables[0][pieces].mean(0), atol=1e-6)
    assert after.get_output_embeddings().weight is after.get_input_embeddings().weight
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():  # what was known is scored as before
        assert torch.allclose(after.eval()(ids).logits[..., :known], before.eval()(ids).logits, atol=1e-5)


def test_the_extended_model_serves_and_is_not_made_twice(base: Path, tmp_path: Path) -> None:
    extend_vocabulary(str(base), corpus(), tmp_path, count=5, least=3)
    written = (tmp_path / "model.safetensors").stat().st_mtime_ns
    extend_vocabulary(str(base), corpus(), tmp_path, count=5, least=3)
    assert (tmp_path / "model.safetensors").stat().st_mtime_ns == written
    assert not [file for file in tmp_path.iterdir() if file.name in ("vocab.txt", "merges.txt")]
    if "Causal" in (tmp_path / "config.json").read_text():
        nats, counts = CausalModel(str(tmp_path), device="cpu").losses(TEXTS[:2])
        assert np.isfinite(nats).all()
        assert (counts > 0).all()
    else:
        assert np.isfinite(Encoder.load(str(tmp_path), device="cpu").encode(TEXTS[:2])).all()


def test_an_untied_output_layer_starts_from_the_pieces_too(tmp_path: Path) -> None:
    base = make_causal(tmp_path / "base")
    model = transformers.AutoModelForCausalLM.from_pretrained(base)
    config = transformers.LlamaConfig(**{**model.config.to_dict(), "tie_word_embeddings": False})
    torch.manual_seed(1)
    transformers.LlamaForCausalLM(config).save_pretrained(base)
    added = extend_vocabulary(str(base), corpus(), tmp_path / "made", count=4, least=3)
    after = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "made").get_output_embeddings().weight
    pieces = [piece.id for piece in tokenizer_of(base).backend_tokenizer.model.tokenize(added[0])]
    assert torch.allclose(after[-len(added)], after[pieces].mean(0), atol=1e-6)


def slow_merges(words: dict[str, int], number: int, least: int) -> list[tuple[str, str]]:
    """Counted anew for every merge."""
    cut = {word: list(word) for word in words}
    found: list[tuple[str, str]] = []
    while len(found) < number:
        pairs: Counter[tuple[str, str]] = Counter()
        for word, parts in cut.items():
            for pair in itertools.pairwise(parts):
                pairs[pair] += words[word]
        able = [(-times, pair) for pair, times in pairs.items() if times >= least and "".join(pair) not in map("".join, found)]
        if not able:
            break
        found.append(min(able)[1])
        cut = {word: merged(parts, found[-1]) for word, parts in cut.items()}
    return found


@given(st.dictionaries(st.text("abc", min_size=1, max_size=7), st.integers(1, 9), max_size=8), st.integers(1, 8), st.integers(1, 6))
def test_merges_are_those_of_counting_anew(words: dict[str, int], number: int, least: int) -> None:
    assert further_merges(words, {word: list(word) for word in words}, number, least, set()) == slow_merges(words, number, least)


def test_what_cannot_be_extended_is_refused(tmp_path: Path) -> None:
    base = make_masked(tmp_path / "base")
    with pytest.raises(InputError, match="breaks nothing into pieces that occurs 50 times"):
        extend_vocabulary(str(base), corpus(), tmp_path / "made", least=50)
    with pytest.raises(InputError, match="vocabulary was given count 0"):
        Vocabulary(count=0)


@pytest.mark.assets
@pytest.mark.parametrize("name", ["asset:minilm", "asset:smollm2"])
def test_packaged_models_learn_new_words(name: str, tmp_path: Path) -> None:
    added = extend_vocabulary(name, corpus(), tmp_path, count=4, least=3)
    old, new = tokenizer_of(Path(resolve_causal(name).location)), tokenizer_of(tmp_path)
    assert len(added) >= 1
    assert count(new, TEXTS) < count(old, TEXTS)
