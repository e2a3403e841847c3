"""A text's loss depends on that text alone, counts the tokens it says, and equals transformers' own."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BertLMHeadModel

from acclimate.data.domain import from_columns
from acclimate.errors import InputError
from acclimate.models.causal import CausalModel
from acclimate.models.encoder import Encoder
from tests.causal import make_causal

TALK = [
    {"role": "user", "content": "two and two?"},
    {"role": "assistant", "content": "four"},
    {"role": "user", "content": "sure?"},
    {"role": "assistant", "content": "yes, 4."},
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_causal(tmp_path_factory.mktemp("causal"))


@pytest.fixture(scope="module")
def model(folder: Path) -> CausalModel:
    return CausalModel(str(folder), device="cpu")


def some_texts(count: int) -> list[str]:
    rng = np.random.default_rng(0)
    letters = np.array(list("abcdefghij 发烧é"))
    return ["".join(rng.choice(letters, size)) for size in rng.integers(0, 40, count)]


def assert_bit_identical(model: CausalModel, texts: list[str]) -> None:
    whole, counts = model.losses(texts)
    for seed in range(3):
        part = np.random.default_rng(seed).permutation(len(texts))[: len(texts) // (seed + 1)]
        nats, tokens = model.losses([texts[row] for row in part])
        assert nats.tobytes() == whole[part].tobytes()
        assert tokens.tolist() == counts[part].tolist()
    assert model.losses(texts[:1])[0].tobytes() == whole[:1].tobytes()


def test_a_loss_does_not_depend_on_batch_mates_or_order(model: CausalModel) -> None:
    assert_bit_identical(model, some_texts(70))


@pytest.mark.assets
def test_losses_of_the_packaged_model_are_plausible_and_do_not_depend_on_batch_mates() -> None:
    smollm = CausalModel()
    texts = ["The capital of France is Paris.", "Paris the of is capital France.", "Rain fell at noon, and nobody minded. " * 5]
    assert_bit_identical(smollm, texts)
    nats, tokens = smollm.losses(texts)
    assert nats[0] / tokens[0] < 3 < 5 < nats[1] / tokens[1]
    answer = smollm.tokens(TALK)
    assert smollm.tokenizer.decode(answer.ids[answer.scored]) == "four<|im_end|>yes, 4.<|im_end|>"


def test_a_loss_equals_the_mean_that_transformers_computes(model: CausalModel, folder: Path) -> None:
    texts = [text for text in some_texts(12) if len(text.encode()) > 1]
    nats, tokens = model.losses(texts)
    reference = AutoModelForCausalLM.from_pretrained(folder).eval()
    for text, cost, count in zip(texts, nats, tokens, strict=True):
        ids = torch.tensor([model.tokenizer(text)["input_ids"]])
        assert count == ids.shape[1] - 1 == model.count_tokens(text) - 1
        assert cost / count == pytest.approx(float(reference(input_ids=ids, labels=ids).loss.detach()), rel=1e-5)


def test_only_the_answers_of_a_conversation_are_scored(model: CausalModel) -> None:
    tokens = model.tokens(TALK)
    assert model.tokenizer.decode(tokens.ids[tokens.scored]) == "four<|end|>yes, 4.<|end|>"
    other_question = [{"role": "user", "content": "2+2?"}, *TALK[1:]]
    nats, counts = model.losses([TALK, other_question])
    assert counts.tolist() == [13, 13]
    assert nats[0] != nats[1]
    alone, none = model.losses([TALK[:1]])
    assert (alone.tolist(), none.tolist()) == ([0.0], [0])


def test_what_cannot_be_scored_costs_nothing(model: CausalModel) -> None:
    nats, tokens = model.losses(["", "x", "xy"])
    assert tokens.tolist() == [0, 0, 1]
    assert nats[:2].tolist() == [0, 0]
    assert nats[2] > 0
    assert model.losses([])[0].shape == (0,)


def test_a_domain_is_read_as_what_it_holds(model: CausalModel) -> None:
    texts = some_texts(5)
    assert model.losses(from_columns("d", texts))[0].tobytes() == model.losses(texts)[0].tobytes()


def test_long_examples_are_cut_and_counted_or_read_in_windows(folder: Path) -> None:
    text = "abcdefghij" * 10
    short, long = CausalModel(str(folder), max_length=32), CausalModel(str(folder), max_length=32, windows=9)
    cut, counted = short.losses([text, "ab"])
    assert counted.tolist() == [31, 1]
    assert short.truncated == 1
    nats, tokens = long.losses([text])
    assert tokens.tolist() == [99]
    assert long.truncated == 0
    pieces = [text[start : start + 32] for start in range(0, 99, 31)]
    assert nats[0] == pytest.approx(long.losses(pieces)[0].sum())
    assert cut[0] == long.losses(pieces)[0][0]


def test_scored_bytes_leave_out_what_is_not_scored(model: CausalModel, folder: Path) -> None:
    assert model.scored_bytes(["", "x", "abc"]).tolist() == [0, 0, 2]
    assert model.scored_bytes([TALK]).tolist() == [len("four<|end|>yes, 4.<|end|>")]
    assert model.scored_bytes(["a发b"]).tolist() == [4]
    assert CausalModel(str(folder), max_length=32, windows=2).scored_bytes(["a" * 40]).tolist() == [39]


def test_it_travels_to_another_process_without_its_weights(model: CausalModel) -> None:
    whole = model.losses(["abc"])[0]
    data = pickle.dumps(model)
    assert len(data) < 2_000
    assert pickle.loads(data).losses(["abc"])[0].tobytes() == whole.tobytes()


def test_nothing_is_loaded_before_it_is_used() -> None:
    assert CausalModel("no such model").name == "no such model"
    with pytest.raises(InputError, match="There is no model 'no such model'"):
        CausalModel("no such model").losses(["a"])


def test_what_is_not_a_causal_model_is_refused(tiny_encoder: Path) -> None:
    assert Encoder.load(str(tiny_encoder), "cpu").dim == 32
    with pytest.raises(InputError, match=r"lack .* tensors of a causal language model"):
        CausalModel(str(tiny_encoder)).losses(["abc"])


def test_a_masked_language_model_is_not_taken_for_a_causal_one(tiny_encoder: Path, tmp_path: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    BertLMHeadModel(AutoConfig.from_pretrained(tiny_encoder)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    with pytest.raises(InputError, match="sees the tokens that follow"):
        CausalModel(str(tmp_path)).losses(["abc"])


def test_a_model_without_a_chat_template_says_so(tmp_path: Path) -> None:
    bare = CausalModel(str(make_causal(tmp_path, chat=False)))
    with pytest.raises(InputError, match="has no chat template"):
        bare.tokens(TALK)


def test_lengths_that_mean_nothing_are_refused() -> None:
    with pytest.raises(InputError, match="at least 2 tokens"):
        CausalModel(max_length=1)
    with pytest.raises(InputError, match="1 window"):
        CausalModel(windows=0)
