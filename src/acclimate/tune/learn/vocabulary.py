"""New words for a model: tokens of the domain that its tokenizer breaks into pieces, each starting as the mean of its pieces."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from acclimate.data.domain import Domain
from acclimate.engine.storage import content_hash, read_json, write_json, write_text
from acclimate.errors import InputError
from acclimate.tune.learn.stages import Corpora

#: Says what was added; written last, so a folder that has it is whole.
RECORD = "new_tokens.json"
#: Files of tokenizers beside ``tokenizer.json``, which would contradict it.
OLDER = ("vocab.txt", "vocab.json", "merges.txt")


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """Before anything else is learned, the tokens that save most on the domain's corpus join the vocabulary (Hong 2021, AVocaDo).

    For WordPiece whole words are taken, by the tokens that each saves: its count times its pieces less one. For BPE the training of
    the tokenizer goes on from its own segmentation (Sennrich 2016, algorithm 1): merge by merge, the pair that occurs most. An
    embedding starts as the mean of those of the pieces that the old tokenizer would have made (Gee 2022), the row of an
    untied output layer too. Set by ``pretrain: [vocabulary, dapt]``.

    Use when: ``dapt`` follows, on a corpus whose terms the tokenizer shreds (medicine, law, code): fewer tokens, cheaper steps.
    Avoid when: the corpus is small: rare new tokens stay the mean of their pieces, and the pieces knew more.

    Args:
        count: of new tokens, at most. 1,000 is a choice, not a measurement.
        least: how often a token must occur in the corpus. 5, a choice too.
    """

    name: ClassVar[str] = "vocabulary"
    paper: ClassVar[str] = "Hong 2021; Gee 2022"
    modality: ClassVar[tuple[str, ...]] = ("text", "causal-lm")
    needs: ClassVar[tuple[str, ...]] = ("a corpus of the domain, or source texts",)
    summary: ClassVar[str] = "Adds the domain's own words to the vocabulary, each as the mean of its pieces."
    summary_zh: ClassVar[str] = "将领域词加入词表，新词向量取其原有子词向量的均值（词表扩展）。"

    count: int = 1000
    least: int = 5

    def __post_init__(self) -> None:
        """Raises InputError: a setting that is no whole number of at least 1."""
        for name in ("count", "least"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise InputError(f"vocabulary was given {name} {value!r}", expected="a whole number of at least 1")

    def carry_out(self, model: str, given: Corpora, folder: Path, seed: int, called: str) -> None:
        """See :class:`acclimate.tune.learn.stages.Stage`; nothing is drawn."""
        del seed
        extend_vocabulary(model, given.of_domain(self.name), folder, count=self.count, least=self.least, called=called)


def extend_vocabulary(
    model: str, corpus: Domain, folder: Path, *, count: int = 1000, least: int = 5, called: str | None = None
) -> list[str]:
    """Write ``model`` with up to ``count`` more tokens into ``folder``; returns these, the one that saves most first.

    Raises:
        InputError: no such model, a tokenizer that is neither WordPiece nor BPE, or a corpus from which nothing can be gained.
    """
    from transformers import AutoTokenizer

    from acclimate.models.causal import resolve_causal
    from acclimate.models.loading import load_pretrained, quiet

    reference = resolve_causal(model)
    key = content_hash(reference.fingerprint, corpus.texts, count, least)
    if (folder / RECORD).is_file() and read_json(folder / RECORD)["key"] == key:
        return list(read_json(folder / RECORD)["tokens"])
    tokenizer = load_pretrained(AutoTokenizer, reference)
    described, tokens = new_tokens(tokenizer, corpus.texts, count=count, least=least)
    if not tokens:
        raise InputError(
            f"The tokenizer of '{called or model}' breaks nothing into pieces that occurs {least} times in {len(corpus)} texts",
            expected="a corpus of the domain",
            fix="give more texts, lower least, or leave vocabulary out",
        )
    folder.mkdir(parents=True, exist_ok=True)
    with quiet():
        _widened(reference, len(tokenizer), list(tokens.values())).save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    for file in OLDER:
        (folder / file).unlink(missing_ok=True)
    write_text(folder / "tokenizer.json", described)
    write_json(folder / RECORD, {"key": key, "tokens": list(tokens)})
    return list(tokens)


def new_tokens(tokenizer: Any, texts: Sequence[str], *, count: int, least: int) -> tuple[str, dict[str, list[int]]]:
    """The tokenizer with new tokens as the text of its ``tokenizer.json``, and for each new token the old ones that it is made of.

    Raises:
        InputError: it is neither WordPiece nor BPE.
    """
    import orjson

    backend: Any = getattr(tokenizer, "backend_tokenizer", None)
    described: dict[str, Any] = orjson.loads(backend.to_str()) if backend is not None else {"model": {"type": "slow"}}
    model: dict[str, Any] = described["model"]
    kind = model.get("type")
    if kind not in ("WordPiece", "BPE"):
        raise InputError(
            f"A vocabulary of kind {kind} cannot be extended here",
            expected="a fast tokenizer of kind WordPiece (BERT) or BPE (GPT-2, RoBERTa, Llama)",
            fix="leave vocabulary out, or choose another model",
        )
    words = {word: times for word, times in count_words(backend, texts).items() if len(word) > 1}
    pieces = {word: [(token.id, token.value) for token in backend.model.tokenize(word)] for word in words}
    unknown = model.get("unk_token")
    sound = {word: parts for word, parts in pieces.items() if all(value != unknown for _, value in parts)}
    if kind == "WordPiece":
        chosen = whole_words(words, {word: len(parts) for word, parts in sound.items()}, count, least)
        made = {word: [number for number, _ in sound[word]] for word in chosen}
    else:
        numbers = {value: [number] for parts in sound.values() for number, value in parts}
        segments = {word: [value for _, value in parts] for word, parts in sound.items()}
        merges = further_merges(words, segments, count, least, set(model["vocab"]))
        made = {}
        for left, right in merges:
            numbers[left + right] = made[left + right] = numbers[left] + numbers[right]
        paired = not model["merges"] or not isinstance(model["merges"][0], str)
        model["merges"] += [[left, right] if paired else f"{left} {right}" for left, right in merges]
    # A mark that the vocabulary itself lacks would be numbered behind it when the file is read, hence among the new tokens.
    model["vocab"] |= {mark["content"]: mark["id"] for mark in described["added_tokens"]}
    model["vocab"] |= {token: len(tokenizer) + number for number, token in enumerate(made)}
    return orjson.dumps(described).decode(), made


def count_words(backend: Any, texts: Iterable[str]) -> Counter[str]:
    """How often each word occurs, as the tokenizer normalises and cuts texts before it looks for pieces."""
    counted: Counter[str] = Counter()
    for text in texts:
        plain = backend.normalizer.normalize_str(text) if backend.normalizer else text
        cut = backend.pre_tokenizer.pre_tokenize_str(plain) if backend.pre_tokenizer else [(plain, (0, len(plain)))]
        counted.update(word for word, _ in cut)
    return counted


def whole_words(words: Mapping[str, int], pieces: Mapping[str, int], count: int, least: int) -> list[str]:
    """The words that save most tokens, ``times · (pieces − 1)``, the first in alphabetical order where equal.

    >>> whole_words({"dose": 9, "renal": 6, "stenosis": 5}, {"dose": 1, "renal": 2, "stenosis": 4}, 2, 5)
    ['stenosis', 'renal']
    """
    gains = {word: words[word] * (number - 1) for word, number in pieces.items() if words[word] >= least and number > 1}
    return sorted(gains, key=lambda word: (-gains[word], word))[:count]


def further_merges(
    words: Mapping[str, int], segments: Mapping[str, Sequence[str]], count: int, least: int, known: set[str]
) -> list[tuple[str, str]]:
    """The merges with which the training of a BPE tokenizer goes on (Sennrich 2016, algorithm 1): always the pair that occurs most.

    Args:
        words: how often each occurs.
        segments: each as the tokenizer cuts it now.
        known: tokens that exist; a pair that would make one of these is passed over.

    >>> further_merges({"abc": 5, "abd": 4}, {"abc": ["a", "b", "c"], "abd": ["a", "b", "d"]}, 2, 2, set())
    [('a', 'b'), ('ab', 'c')]
    """
    cut = {word: list(parts) for word, parts in segments.items()}
    counts: Counter[tuple[str, str]] = Counter()
    where: defaultdict[tuple[str, str], set[str]] = defaultdict(set)

    def tally(word: str, sign: int) -> None:
        for pair in zip(cut[word], cut[word][1:], strict=False):
            counts[pair] += sign * words[word]
            where[pair].add(word)

    for word in cut:
        tally(word, 1)
    merges: list[tuple[str, str]] = []
    taken = set(known)
    while len(merges) < count:
        able = [(times, pair) for pair, times in counts.items() if times >= least and "".join(pair) not in taken]
        if not able:
            break
        pair = min(able, key=lambda item: (-item[0], item[1]))[1]
        for word in sorted(where.pop(pair)):
            tally(word, -1)
            cut[word] = merged(cut[word], pair)
            tally(word, 1)
        counts = +counts
        merges.append(pair)
        taken.add("".join(pair))
    return merges


def merged(parts: Sequence[str], pair: tuple[str, str]) -> list[str]:
    """A word with every occurrence of a pair made one, from the left.

    >>> merged(["a", "a", "a"], ("a", "a"))
    ['aa', 'a']
    """
    made: list[str] = []
    place = 0
    while place < len(parts):
        both = tuple(parts[place : place + 2]) == pair
        made.append("".join(pair) if both else parts[place])
        place += 2 if both else 1
    return made


def _widened(reference: Any, known: int, made: Sequence[Sequence[int]]) -> Any:
    """The model with a row for each new token: the mean of the rows of the old tokens that it is made of."""
    import torch
    from transformers import AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM

    from acclimate.models.loading import load_pretrained

    kind = AutoModelForCausalLM if reference.writes else AutoModelForMaskedLM if reference.unmasks else AutoModel
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)  # of rows that are overwritten at once, and of a pooler that the files lack
        model = load_pretrained(kind, reference)
        size = max(known + len(made), model.get_input_embeddings().num_embeddings)
        model.resize_token_embeddings(size, mean_resizing=False)
        output = model.get_output_embeddings()
        tables = {id(table): table for table in (model.get_input_embeddings().weight, *(output.parameters() if output else ()))}
        for table in tables.values():  # where the output is tied it is the same table, and its bias remains
            table[known : known + len(made)] = torch.stack([table[torch.tensor(numbers)].mean(0) for numbers in made])
    return model
