"""What language models write: what is asked of them, what of their answers is used, and the count of the rest."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from typing import Any

import pytest

from acclimate.augment.expand.asking import Unusable, read_answer
from acclimate.augment.expand.evolve import WAYS, read_instruction
from acclimate.augment.expand.from_corpus import passages, read_pair, share_within
from acclimate.augment.expand.generate import read_text
from acclimate.augment.run import augment as guarded
from acclimate.data.domain import Domain, from_columns
from acclimate.models.chat.base import Answer
from acclimate.report.phrases import translate
from tests.answering import AnsweringServer, answering, obliging
from tests.causal import make_causal

#: What methods make, before any guard.
augment = functools.partial(guarded, guard="none")

PARENTS = from_columns("p", ["the nurse took 20 mg", "the film was bad", "a good story"], ["0", "1", "0"])
PASSAGE = "Insulin moves sugar from the blood into the cells. Without it blood sugar rises."


@pytest.fixture
def server(home: Any) -> Iterator[AnsweringServer]:  # noqa: ARG001 (a cache of its own)
    with answering(obliging) as served:
        yield served


def whole(text: str) -> str | Unusable:
    return read_answer(Answer(text, "stop", 1, 1))


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("  A good film.\n", "A good film."),
        ('"A good film."', "A good film."),
        ("“好电影”", "好电影"),
        ('"One" and "two"', '"One" and "two"'),
        ("I cannot sleep", "I cannot sleep"),
        ("Sure enough, it rained", "Sure enough, it rained"),
        ("Here is where I live", "Here is where I live"),
        ("Sure! Here is the text:\nA film", Unusable("words around the answer")),
        ("Here's the reworded text: A film", Unusable("words around the answer")),
        ("以下是改写后的文本：好电影\n", Unusable("words around the answer")),
        ("I'm sorry, but I can't do that", Unusable("declined")),
        ("As an AI language model, I", Unusable("declined")),
        ("抱歉，我无法", Unusable("declined")),
        ("", Unusable("empty")),
        ("  ...\n", Unusable("empty")),
    ],
)
def test_only_an_answer_that_is_nothing_but_a_text_is_read(text: str, read: str | Unusable) -> None:
    if text.startswith("以下"):
        text = text.replace("：", "： ")
    assert whole(text) == read


def test_an_answer_that_was_cut_off_is_not_used() -> None:
    assert read_answer(Answer("A good", "length", 1, 1)) == Unusable("cut off at max_tokens")


def test_a_paraphrase_is_asked_to_keep_what_is_protected_and_refused_without_it(server: AnsweringServer) -> None:
    grown = augment(PARENTS, method="paraphrase", times=1, llm=server.llm())
    assert "Your text must hold these as they stand: 20." in server.asked[0]["messages"][0]["content"] + "".join(
        body["messages"][0]["content"] for body in server.asked
    )
    assert len(grown) == 3
    server.write = lambda body: "the nurse took 200 mg" if "nurse" in str(body["messages"]) else obliging(body)
    grown = augment(PARENTS, method="paraphrase", times=1, llm=server.llm(temperature=0.5))
    assert grown.ids == ["p:1~paraphrase~1", "p:2~paraphrase~1"]
    assert {"2 of 3 new examples were made", "answers that could not be used, without a protected span: 2"} <= set(grown.notes)


@pytest.mark.parametrize("answer", ["the film was bad", "The FILM was bad!", "bad", "the film was bad " * 4])
def test_a_paraphrase_that_is_none_is_refused(server: AnsweringServer, answer: str) -> None:
    server.write = lambda _: answer
    grown = augment(PARENTS.take([1]), method="paraphrase", times=1, llm=server.llm())
    assert len(grown) == 0
    assert any("could not be used" in note for note in grown.notes)


def test_generation_names_the_class_in_words_and_shows_the_parent_where_asked(server: AnsweringServer) -> None:
    settings: dict[str, Any] = {"method": "generate", "times": 1, "task": "notes of a ward", "classes": {"0": "calm", "1": "angry"}}
    grown = augment(PARENTS, **settings, llm=server.llm(parallel=1))
    prompts = [body["messages"][0]["content"] for body in server.asked]
    assert all("notes of a ward" in prompt for prompt in prompts)
    assert all(("angry" in prompt) == ("film" in prompt) for prompt in prompts)
    assert grown.labels == ["0", "1", "0"]
    assert [("angry" in text) for text in grown.texts] == [False, True, False]
    server.asked.clear()
    augment(PARENTS, **settings, example=False, llm=server.llm(parallel=1))
    assert not any(text in body["messages"][0]["content"] for body in server.asked for text in PARENTS.texts)


def test_a_generated_text_is_no_copy_and_of_sensible_length() -> None:
    assert read_text("the film was bad", "It was a long evening") == "It was a long evening"
    assert read_text("the film was bad", "Well: The film was bad.") == Unusable("a repetition of the parent")
    assert read_text("the film was bad", "bad") == Unusable("too short")
    assert read_text("the film was bad", "word " * 50) == Unusable("too long")


@pytest.mark.parametrize(
    "answer",
    [
        "Question: What moves sugar?\nAnswer: Insulin moves sugar from the blood.",
        "question : What moves sugar?\n\nANSWER: Insulin moves sugar from the blood.\n",
        "问题：What moves sugar?\n答案：Insulin moves sugar from the blood.",
    ],
)
def test_one_question_and_one_answer_become_two_turns(answer: str) -> None:
    turns = read_pair(PASSAGE, answer, 0.6)
    assert turns == [
        {"role": "user", "content": "What moves sugar?"},
        {"role": "assistant", "content": "Insulin moves sugar from the blood."},
    ]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("Insulin moves sugar.", "not one question and one answer"),
        ("Question: What?\n", "not one question and one answer"),
        ("Question: ...\nAnswer: ...", "not one question and one answer"),
        ("Question: A?\nAnswer: Insulin.\nQuestion: B?\nAnswer: Blood.", "not one question and one answer"),
        ("Here you are.\nQuestion: A?\nAnswer: Insulin.", "not one question and one answer"),
        ("Question: What does the passage say?\nAnswer: Insulin moves sugar.", "pointing at the passage"),
        ("Question: What is glucagon?\nAnswer: Glucagon is a hormone made by alpha cells.", "not from the passage"),
    ],
)
def test_an_answer_in_another_form_or_not_from_the_passage_is_refused(answer: str, reason: str) -> None:
    assert read_pair(PASSAGE, answer, 0.6) == Unusable(reason)


def test_groundedness_is_the_share_of_content_words_in_the_passage() -> None:
    assert share_within("Insulin moves the moon", PASSAGE) == pytest.approx(2 / 3)
    assert share_within("it is of the", PASSAGE) == 1.0


def test_passages_hold_whole_sentences_within_the_limit() -> None:
    text = "One two three. Four five! Six? " + "long " * 20 + ". 电影好。演员好。"
    parts = passages(text, 6)
    assert parts[0] == "One two three. Four five! Six?"
    assert parts[1].startswith("long long")
    assert "".join("".join(parts).split()) == "".join(text.split())


def test_documents_become_conversations_with_the_document_as_parent(server: AnsweringServer) -> None:
    documents = from_columns("d", [PASSAGE, "Blood is red."])
    grown = augment(documents, method="from-corpus", times=2, passage=10, llm=server.llm())
    assert grown.modality == "chat"
    assert [[turn["role"] for turn in turns] for turns in grown.conversations] == [["user", "assistant"]] * 4
    assert [origin["parents"] for origin in map(json.loads, grown.table.column("origin").to_pylist())] == [["d:0"]] * 2 + [
        ["d:1"]
    ] * 2
    assert grown.conversations[0][1]["content"] in PASSAGE


def test_an_evolved_conversation_is_a_new_instruction_and_a_new_answer(server: AnsweringServer) -> None:
    talk = [{"role": "user", "content": "Name a tree."}, {"role": "assistant", "content": "Oak."}]
    talks = from_columns("c", ["user: Name a tree."]).with_strings("messages", [json.dumps(talk)])
    grown = augment(talks, method="evolve", times=8, llm=server.llm())
    assert len(grown) == 8
    for turns in grown.conversations:
        assert [turn["role"] for turn in turns] == ["user", "assistant"]
        assert turns[0]["content"].startswith("Name a tree. Mind condition")
        assert turns[1]["content"] != "Oak."
    asked = [body["messages"][0]["content"] for body in server.asked]
    assert {way for way in WAYS.values() if any(prompt.startswith(way) for prompt in asked)} >= set(list(WAYS.values())[:1])
    assert sum(prompt.startswith("Name a tree. Mind") for prompt in asked) == 8


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("name a tree", "equal to the parent"),
        ("The new instruction: name two trees", "quoting the request"),
        ("word " * 80, "too long for an instruction"),
        ("it is what it is", "empty"),
    ],
)
def test_an_evolved_instruction_that_failed_is_left_out(answer: str, reason: str) -> None:
    assert read_instruction("Name a tree.", answer) == Unusable(reason)


def test_errors_alone_have_children_near_them(server: AnsweringServer) -> None:
    def predict(examples: Domain) -> list[str]:
        return ["0"] * len(examples)

    grown = augment(PARENTS, method="error-driven", times=2, predict=predict, classes={"0": "calm", "1": "angry"}, llm=server.llm())
    assert grown.ids == ["p:1~error-driven~1", "p:1~error-driven~2"]
    assert grown.labels == ["1", "1"]
    prompts = [body["messages"][0]["content"] for body in server.asked]
    assert all('"angry"' in prompt and '"calm"' in prompt and "the film was bad" in prompt for prompt in prompts)
    assert grown.notes[0] == "the current model gets 1 of 3 examples wrong"


def test_a_model_on_this_machine_writes_the_same_every_time_and_its_failures_are_counted(tmp_path: Any) -> None:
    """A random model writes nonsense: what counts is that nothing of it slips through uncounted."""
    llm = {"model": str(make_causal(tmp_path, context=1024)), "max_tokens": 24}
    first, second = (augment(PARENTS, method="generate", times=3, llm=llm) for _ in range(2))
    assert first.table.to_pylist() == second.table.to_pylist()
    assert first.notes == second.notes
    refused = sum(int(note.rsplit(": ", 1)[1]) for note in first.notes if note.startswith("answers that could not be used"))
    asked = next(int(note.split()[2]) for note in first.notes if note.startswith("asked "))
    assert asked == len(first) + refused
    assert any(note.startswith(f"{len(first)} of 9 new examples") for note in first.notes)


@pytest.mark.assets
def test_the_packaged_model_rewords_on_this_machine() -> None:
    parents = from_columns("p", ["The film was really good, but the actors were terrible and I hated the story."], ["x"])
    grown = augment(parents, method="paraphrase", times=1, attempts=3, llm={"max_tokens": 32})
    assert len(grown) >= 1
    assert all(text != parents.texts[0] for text in grown.texts)


def test_every_note_has_its_chinese(server: AnsweringServer) -> None:
    server.faults = ["null"] * 4
    server.write = lambda _: "bad"
    notes = list(augment(PARENTS, method="paraphrase", times=2, llm=server.llm(parallel=1, price_in=3.0)).notes)
    notes += augment(PARENTS, method="paraphrase", times=2, llm=server.llm(parallel=1, price_in=3.0)).notes
    notes += augment(PARENTS, method="error-driven", times=1, predict=lambda e: ["9"] * len(e), llm=server.llm()).notes
    notes += augment(PARENTS, method="eda", times=9, synonyms="none").notes
    reasons = ["empty", "declined", "words around the answer", "cut off at max_tokens", "too long", "not from the passage"]
    reasons += ["pointing at the passage", "not one question and one answer", "quoting the request", "too long for an instruction"]
    notes += [f"answers that could not be used, {reason}: 1" for reason in reasons]
    for note in notes:
        said = translate(note)
        assert any("\u4e00" <= letter <= "\u9fff" for letter in said), note
        assert "could not" not in said
        assert "（" not in said or any("\u4e00" <= letter <= "\u9fff" for letter in said.split("（")[1]), said
