"""Likelihoods, answers, choices and forgetting of language models, against slow references and against lm-eval."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pytest
import torch

from acclimate.data.domain import Domain, from_columns
from acclimate.errors import InputError
from acclimate.evaluate.language import (
    bits_difference,
    choose,
    evaluate_language,
    exact_match,
    greedy_answers,
    kept,
    plain,
    run_harness,
)
from acclimate.models.causal import CausalModel
from acclimate.models.likelihood import Costs, bits_per_byte, costs, perplexity
from tests.causal import make_causal

QUESTIONS = ["The colour of the sky is", "Two and two are ", "A dog is"]
OPTIONS = [[" blue", " a deep shade of green"], ["four", "five", "none of these at all"], [" an animal", " 电影"]]
RIGHT = [0, 0, 0]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> CausalModel:
    return CausalModel(str(make_causal(tmp_path_factory.mktemp("causal"))), device="cpu")


def of(nats: list[float], sizes: list[int]) -> Costs:
    return Costs(np.array(nats), np.array(sizes), np.array(sizes))


def by_hand(model: CausalModel, text: str, start: int) -> float:
    """Nats of the bytes of ``text`` from ``start`` on: the tokenizer of tests reads bytes."""
    ids = torch.tensor([model.tokenizer(text)["input_ids"]])
    with torch.no_grad():
        logs = model.model(ids).logits.log_softmax(-1)
    return -sum(float(logs[0, place - 1, ids[0, place]]) for place in range(start, ids.shape[1]))


def test_figures_of_likelihood_are_their_definitions(model: CausalModel) -> None:
    texts = ["a text", "电影, another one"]
    found = costs(model, texts)
    nats = [by_hand(model, text, 1) for text in texts]
    assert found.nats == pytest.approx(nats, rel=1e-5)
    size = sum(len(text.encode()) - 1 for text in texts)
    scores = evaluate_language(model, from_columns("d", texts, None))
    assert scores.metrics["bits_per_byte"] == pytest.approx(sum(nats) / math.log(2) / size, rel=0.2)
    assert scores.metrics["loss"] == pytest.approx(sum(nats) / size, rel=1e-5)  # a token is a byte here
    assert scores.metrics["perplexity"] == pytest.approx(math.exp(scores.metrics["loss"]))
    assert perplexity(3 * math.log(5), 3) == pytest.approx(5)
    assert math.isnan(bits_per_byte(1.0, 0))


def test_options_are_scored_behind_their_prompts(model: CausalModel) -> None:
    found = choose(model, QUESTIONS, OPTIONS)
    pairs = [(q, o) for q, options in zip(QUESTIONS, OPTIONS, strict=True) for o in options]
    expected = [by_hand(model, q + o, len(q.rstrip().encode())) for q, o in pairs]
    assert found.costs.nats == pytest.approx(expected, rel=1e-5)
    assert found.best().tolist() == [int(np.argmin(part)) for part in (expected[:2], expected[2:5], expected[5:])]
    sizes = [len(option.strip().encode()) for options in OPTIONS for option in options]
    each = np.array(expected) / sizes
    assert found.best("bytes").tolist() == [int(np.argmin(part)) for part in (each[:2], each[2:5], each[5:])]
    assert found.accuracy(found.best("tokens").tolist(), "tokens") == 1.0


def test_options_behind_conversations_and_long_prompts(model: CausalModel) -> None:
    turns = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}, {"role": "user", "content": "well?"}]
    found = choose(model, [turns, "x" * 300], [["yes", "no"], [" a", " b"]])
    written = "<|user|>hi<|end|>\n<|assistant|>hello<|end|>\n<|user|>well?<|end|>\n<|assistant|>"
    ids = len(model.tokenizer(written)["input_ids"])
    assert found.costs.nats[0] == pytest.approx(by_hand(model, written + "yes", ids), rel=1e-5)
    assert np.isfinite(found.costs.nats).all()
    with pytest.raises(InputError, match="questions with options"):
        choose(model, ["a"], [[""]])


def test_answers_are_compared_without_case_articles_and_marks(model: CausalModel) -> None:
    assert plain("An apple, the tree; theatre") == "apple tree theatre"
    assert exact_match(["4", "four"], ["4.", "five"]) == 0.5
    with pytest.raises(InputError, match="1 answers for 2"):
        exact_match(["a"], ["a", "b"])
    prompts = [[{"role": "user", "content": f"say {n}"}] for n in range(3)]
    answers = greedy_answers(model, prompts, 6)
    talk = [[*turns, {"role": "assistant", "content": answer or "-"}] for turns, answer in zip(prompts, answers, strict=True)]
    column = pa.array([orjson.dumps(one).decode() for one in talk], pa.string())
    domain = from_columns("chat", [""] * 3, None).with_column("messages", column)
    scores = evaluate_language(model, domain, answers=True, max_tokens=6)
    assert scores.metrics["exact_match"] >= sum(bool(plain(answer)) for answer in answers) / 3
    with pytest.raises(InputError, match="which holds texts"):
        evaluate_language(model, from_columns("d", ["a b"], None), answers=True)
    with pytest.raises(InputError, match="no text to measure on"):
        evaluate_language(model, Domain("none", domain.table.slice(0, 0)))


def test_forgetting_is_the_rise_in_bits_per_byte_with_its_interval() -> None:
    rng = np.random.default_rng(0)
    sizes = rng.integers(50, 400, 200)
    base = rng.normal(0.7, 0.05, 200) * sizes
    rises = rng.normal(0.1, 0.05, 200) * sizes
    before, after = of(base.tolist(), sizes.tolist()), of((base + rises).tolist(), sizes.tolist())
    found = bits_difference(after, before)
    assert found.mean == pytest.approx(after.bits_per_byte - before.bits_per_byte)
    assert found.low < found.mean < found.high
    error = np.sqrt(np.sum((rises - sizes * rises.sum() / sizes.sum()) ** 2)) / sizes.sum() / np.log(2)  # of a ratio of sums
    assert (found.high - found.low) / (2 * 1.96 * error) == pytest.approx(1, abs=0.1)
    assert bits_difference(before, after).mean == pytest.approx(-found.mean)
    noise = of((base + sizes * rng.normal(0, 0.1, 200)).tolist(), sizes.tolist())
    nothing = bits_difference(noise, before)
    assert nothing.low < 0 < nothing.high
    half = of((base + rises / 4).tolist(), sizes.tolist())
    assert kept(before, after, half) == pytest.approx(0.75)
    assert math.isnan(kept(before, before, after))
    with pytest.raises(InputError, match="different examples"):
        bits_difference(of([1.0], [2]), before)


def test_lm_eval_gives_the_same_choices(model: CausalModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("lm_eval", reason='the harness is optional: pip install "acclimate[lm-eval]"')
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hub"))
    rows = [{"question": q, "options": o, "right": r} for q, o, r in zip(QUESTIONS, OPTIONS, RIGHT, strict=True)]
    (tmp_path / "rows.jsonl").write_text("\n".join(orjson.dumps(row).decode() for row in rows[:1] + rows[2:]))
    task = {
        "task": "colours",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(tmp_path / "rows.jsonl")}},
        "test_split": "test",
        "output_type": "multiple_choice",
        "doc_to_text": "{{question}}",
        "doc_to_choice": "{{options}}",
        "doc_to_target": "right",
        "target_delimiter": "",
        "metric_list": [{"metric": "acc"}],
    }
    figures = run_harness(model, [task])
    own = choose(model, [QUESTIONS[0], QUESTIONS[2]], [OPTIONS[0], OPTIONS[2]])
    assert figures["colours"]["acc"] == own.accuracy([0, 0])


def test_another_model_in_memory_is_measured_as_if_it_were_saved(model: CausalModel, tmp_path: Path) -> None:
    other = copy.deepcopy(model.model)
    with torch.no_grad():
        other.get_input_embeddings().weight.mul_(1.1)
    other.save_pretrained(tmp_path)
    model.tokenizer.save_pretrained(tmp_path)
    held, saved = costs(model.holding(other), ["a text"]), costs(CausalModel(str(tmp_path), device="cpu"), ["a text"])
    assert held.nats == pytest.approx(saved.nats)
    assert held.nats[0] != costs(model, ["a text"]).nats[0]
