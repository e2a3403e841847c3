"""Documents in pieces and in packs: nothing lost, nothing asked for twice, and no document sees another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given
from hypothesis import strategies as st

from acclimate.data.domain import from_columns
from acclimate.errors import InputError
from acclimate.models.causal import CausalModel, Tokens
from acclimate.models.language_model import LanguageModel
from acclimate.models.objective import IGNORED, cross_entropies, task_loss, weighted_mean
from acclimate.tune.bases import check_packs, load_base
from acclimate.tune.examples import Examples, gather
from acclimate.tune.feed import Collator, Draw, as_batch
from acclimate.tune.pieces import Pack, best_fit, cut, in_packs, in_pieces, split
from acclimate.tune.readers import LanguageReader
from acclimate.tune.settings import TuneSettings
from acclimate.tune.terms import build_terms
from acclimate.tune.trainer import fine_tune
from tests.causal import make_causal
from tests.shift import sentences

CHAT = [{"role": "user", "content": "x" * 90}, {"role": "assistant", "content": "yes"}]


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_causal(tmp_path_factory.mktemp("causal"))


def tokens(count: int, *, asked_from: int = 1) -> Tokens:
    ids = np.arange(count)
    return Tokens(ids, ids >= asked_from, np.ones(count, np.int64))


@given(st.integers(0, 60), st.integers(2, 20), st.data())
def test_split_asks_for_every_token_once_with_its_context(count: int, limit: int, data: st.DataObject) -> None:
    overlap = data.draw(st.integers(1, limit - 1))
    pieces = split(tokens(count), limit, overlap)
    asked = [number for piece in pieces for number in piece.ids[piece.scored].tolist()]
    assert asked == list(range(1, count))
    assert all(len(piece) <= limit for piece in pieces)
    assert all((piece.ids[piece.scored][0] - piece.ids[0]) >= (overlap if piece.ids[0] else 1) for piece in pieces)


@given(st.integers(1, 80), st.integers(1, 79), st.integers(2, 20))
def test_cutting_never_leaves_nothing_to_learn(count: int, first: int, limit: int) -> None:
    kept = cut(tokens(count, asked_from=first), limit)
    assert len(kept) == (first < count)
    assert all(piece.scored[1:].any() and len(piece) <= limit for piece in kept)


@given(st.lists(st.integers(1, 16), max_size=60))
def test_packs_hold_every_item_once_in_few_rows(lengths: list[int]) -> None:
    rows = best_fit(lengths, 16)
    assert sorted(item for row in rows for item in row) == list(range(len(lengths)))
    assert all(sum(lengths[item] for item in row) <= 16 for row in rows)
    assert len(rows) <= 11 / 9 * -(-sum(lengths) // 16) + 4


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("kind", ["llama", "gpt2", "gpt_neox", "qwen2"])
def test_a_packed_document_gets_the_logits_it_gets_alone(kind: str, attention: str, causal: Path) -> None:
    sizes = {
        "vocab_size": 300,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "num_key_value_heads": 2,
    }
    names = {"gpt2": {"vocab_size": 300, "n_embd": 32, "n_layer": 2, "n_head": 4}}
    marks = {"bos_token_id": 1, "eos_token_id": 2}
    config = transformers.AutoConfig.for_model(kind, **names.get(kind, sizes), **marks, attn_implementation=attention)
    torch.manual_seed(0)
    model = LanguageModel.copy_of(transformers.AutoModelForCausalLM.from_config(config))
    check_packs(kind, model)
    reader = LanguageReader(CausalModel(str(causal), device="cpu"), 64)
    read = [reader.pieces(text)[0] for text in ("the first document", "another", "and a third, longer one")]
    batch = reader([Pack(tuple(read), (1.0, 1.0, 1.0)), Pack((read[1],), (1.0,))])
    with torch.no_grad():
        packed = model.eval().classify(model.represent(batch))
        start = 0
        for document in read:
            ids = torch.from_numpy(document.ids)[None]
            alone = model.classify(model.represent({"input_ids": ids, "attention_mask": torch.ones_like(ids)}))
            assert torch.allclose(packed[0, start : start + len(document)], alone[0], atol=2e-5)
            start += len(document)
        ids = torch.from_numpy(read[1].ids)[None]
        padded = model.classify(model.represent({"input_ids": ids, "attention_mask": torch.ones_like(ids)}))
        assert torch.allclose(packed[1, : len(read[1])], padded[0], atol=2e-5)


def test_a_packed_batch_costs_what_its_documents_cost_alone(causal: Path) -> None:
    """The loss and its gradient, with the documents' own weights: against each document in a row of its own."""
    settings = TuneSettings(max_length=48, packing=True)
    base = load_base(str(causal), "causal-lm", (), 0, settings)
    model = base.model.eval()
    texts = ["short", "a somewhat longer document here", "words " * 20, "b"]
    given = Examples(texts, np.full(4, -1), np.array([1.0, 3.0, 0.5, 2.0]), np.array([True, True, False, True]))
    pieces, told = in_pieces(given, base.reader.pieces)  # type: ignore[union-attr]
    assert told == {"documents": 4, "pieces": 5, "without a token to learn": 1}
    packs = in_packs(pieces, 48)
    assert len(packs) < len(pieces)
    found = {}
    for name, examples in (("apart", pieces), ("packed", packs)):
        batch = as_batch(Collator(examples, base.reader)([Draw(row) for row in range(len(examples))]), torch.Generator())
        model.zero_grad()
        loss = task_loss(model.classify(model.represent(batch.inputs)), batch)
        loss.backward()
        found[name] = loss.item(), [value.grad.clone() for value in model.parameters()]  # type: ignore[union-attr]
    assert found["packed"][0] == pytest.approx(found["apart"][0], rel=1e-5)
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(found["packed"][1], found["apart"][1], strict=True))


def test_no_document_is_asked_for_the_first_token_of_the_next(causal: Path) -> None:
    reader = LanguageReader(CausalModel(str(causal), device="cpu"), 64)
    batch = reader([Pack((tokens(4), tokens(3)), (1.0, 2.0))])
    assert batch["labels"][0].tolist() == [1, 2, 3, IGNORED, 1, 2, IGNORED]
    assert batch["position_ids"][0].tolist() == [0, 1, 2, 3, 0, 1, 2]
    assert batch["weights"][0].tolist() == [1, 1, 1, 1, 2, 2, 2]


def test_weights_of_tokens_mean_what_weights_of_examples_mean() -> None:
    logits, labels = torch.randn(2, 3, 5), torch.tensor([[1, 2, IGNORED], [0, IGNORED, 4]])
    weights = torch.tensor([0.5, 2.0])
    losses = cross_entropies(logits, labels)
    each = weighted_mean(losses, labels != IGNORED, weights[:, None].expand(2, 3))
    assert torch.allclose(each, weighted_mean(losses, labels != IGNORED, weights))


def test_a_long_conversation_keeps_tokens_of_its_answer(causal: Path) -> None:
    reader = LanguageReader(CausalModel(str(causal), device="cpu"), 40)
    cutting, splitting = reader.pieces(CHAT), LanguageReader(reader.source, 40, 8).pieces(CHAT)
    answer = list(b"yes")
    for pieces in (cutting, splitting):
        assert len(pieces) == 1
        asked = reader.tokenizer.decode(pieces[0].ids[pieces[0].scored])
        assert asked == "yes<|end|>"
    assert (reader([CHAT])["labels"] != IGNORED).sum() == len(answer) + 1


def test_a_training_reads_every_piece_of_long_documents_and_tells(causal: Path, tmp_path: Path) -> None:
    domain = from_columns("long", ["words and words " * 12, "short one", ""], None)
    settings = TuneSettings(steps=3, batch_size=2, max_length=32, packing=True, lr=1e-3)
    adapted = fine_tune(str(causal), gather(None, target=domain), (), settings, folder=tmp_path, save=True, task="causal-lm")
    assert adapted.about["read"] == {"documents": 3, "pieces": 8, "without a token to learn": 1}
    again = fine_tune(str(causal), gather(None, target=domain), (), settings, task="causal-lm")
    assert all(torch.equal(a, b) for a, b in zip(adapted.model.parameters(), again.model.parameters(), strict=True))


def test_packing_is_refused_where_it_would_mean_something_else(causal: Path, encoder_folder: Path) -> None:
    given = gather(None, target=sentences("clinic", 10, seed=1))
    with pytest.raises(InputError, match="Packing was asked for mixup"):
        fine_tune(str(causal), given, (), TuneSettings(packing=True), build_terms(["mixup"]), task="causal-lm")
    labelled = gather(("bad", "good"), target=sentences("clinic", 10, seed=1))
    with pytest.raises(InputError, match="Packing was asked for text-classification"):
        fine_tune(str(encoder_folder), labelled, ("bad", "good"), TuneSettings(packing=True))
    config = transformers.BloomConfig(vocab_size=300, hidden_size=32, n_layer=1, n_head=2)
    torch.manual_seed(0)
    bloom = LanguageModel.copy_of(transformers.BloomForCausalLM(config))
    with pytest.raises(InputError, match="see one another"):
        check_packs("bloom", bloom)


def test_a_corpus_without_a_token_to_learn_is_refused(causal: Path) -> None:
    with pytest.raises(InputError, match="no token to learn"):
        fine_tune(str(causal), gather(None, target=from_columns("empty", ["", "a"], None)), (), task="causal-lm")
