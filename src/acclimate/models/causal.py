"""Causal language models: what a model makes of a text, token by token.

As in :mod:`acclimate.models.encoder`, every forward pass has one of a few fixed shapes that the text's own length decides, so that
the loss of a text depends on that text alone, to the last bit. Padding stands after a text, where a causal model cannot see it.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from acclimate.data.assets import fetch
from acclimate.data.domain import Domain, Message
from acclimate.engine.progress import track
from acclimate.errors import InputError
from acclimate.models.reference import ModelReference, resolve

if TYPE_CHECKING:
    import torch

    from acclimate.models.manner import Manner
    from acclimate.models.sampling import Written

#: Tokens of every forward pass, padding included: rows × padded length. SmolLM2's logits of 512 tokens take 100 MB. A request for
#: a few texts computes up to this many tokens for each length among them, so ask for many texts at once.
PASS_TOKENS = 512
#: Lengths are padded up to a multiple of this.
STEP = 16

#: A text, or a conversation as its turns.
Content: TypeAlias = str | Sequence[Message]
#: What models read: a domain of texts or conversations, or a list of either.
Examples: TypeAlias = Domain | Sequence[Content]


@dataclasses.dataclass(frozen=True, eq=False)
class Tokens:
    """One example as a causal model reads it.

    Attributes:
        ids: token numbers ``(t,)``.
        scored: whether the model's prediction of each token counts, ``(t,)``; never of the first, which nothing precedes.
        bytes: how many UTF-8 bytes of the text each token stands for, ``(t,)``; 0 for marks that the text does not contain.
    """

    ids: NDArray[np.int64]
    scored: NDArray[np.bool_]
    bytes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def between(self, start: int, stop: int) -> Tokens:
        """A stretch of it, scored as before."""
        inside = slice(start, stop)
        return Tokens(self.ids[inside], self.scored[inside].copy(), self.bytes[inside])


@dataclasses.dataclass(frozen=True, eq=False)
class Batch:
    """Examples of like length in one fixed shape ``(b, t)``: the first ``len(rows)`` rows are theirs, the others dummies.

    Attributes:
        rows: positions of the examples in what was asked for.
        ids: token numbers, padding behind, ``(b, t)``.
        scored: which tokens count, ``(b, t)``; False on padding and dummies.
    """

    rows: list[int]
    ids: NDArray[np.int64]
    scored: NDArray[np.bool_]


class CausalModel:
    """A causal language model by name, looked for and loaded when first used.

    Args:
        name: ``asset:NAME``, a local folder (safetensors, or one GGUF file) or a hub name.
        device: ``auto``, ``cpu``, ``cuda``, ``mps``.
        max_length: tokens read at once; 512 holds nine of ten news and review texts. Lowered to what the model can read.
        windows: how many stretches of ``max_length`` of a long example :meth:`losses` reads; the last token of one is the context
            that the next starts from. What lies beyond is cut off, and counted in ``truncated``.
        dtype: ``auto`` (float32), ``float32``, ``bfloat16``, ``float16``.
    Raises:
        InputError: a length or a number of windows that means nothing.

    Attributes:
        truncated: how many examples were cut off so far.
    """

    def __init__(
        self, name: str = "asset:smollm2", device: str | None = "auto", max_length: int = 512, windows: int = 1, dtype: str = "auto"
    ) -> None:
        if max_length < 2 or windows < 1:
            raise InputError(
                f"A language model with max_length {max_length} and {windows} windows",
                expected="at least 2 tokens and 1 window",
                fix="leave the defaults",
            )
        self.name = name
        self.device, self.dtype = device, dtype
        self.max_length, self.windows = max_length, windows
        self.truncated = 0
        self._reference: ModelReference | None = None
        self._tokenizer: Any = None
        self._model: Any = None

    def __getstate__(self) -> dict[str, Any]:
        """Goes to another process without the loaded model, which that process loads if it needs it."""
        return {**self.__dict__, "_model": None, "_tokenizer": None}

    def holding(self, model: Any) -> CausalModel:
        """The same tokenizer and lengths around another model that is in memory, such as one that was just trained."""
        other = CausalModel(self.name, self.device, self.max_length, self.windows, self.dtype)
        other._reference, other._tokenizer, other._model = self.reference, self.tokenizer, model.eval()
        return other

    @property
    def reference(self) -> ModelReference:
        """Which model it is; a GGUF file is unpacked here, once.

        Raises:
            InputError: no such model, or its files cannot be read.
            RunError: it could not be downloaded or unpacked.
        """
        if self._reference is None:
            self._reference = resolve_causal(self.name)
        return self._reference

    @property
    def tokenizer(self) -> Any:
        """The model's tokenizer, loaded on first use."""
        if self._tokenizer is None:
            from transformers import AutoTokenizer

            from acclimate.models.loading import load_pretrained

            tokenizer = load_pretrained(AutoTokenizer, self.reference)
            if not tokenizer.is_fast:
                raise InputError(
                    f"The tokenizer of '{self.name}' does not say where in the text its tokens stand",
                    expected="a fast tokenizer (tokenizer.json)",
                    fix="convert it with transformers, or choose another model, for example asset:smollm2",
                )
            self._tokenizer = tokenizer
        return self._tokenizer

    @property
    def model(self) -> Any:
        """The model of transformers, in evaluation mode on its device, loaded on first use."""
        if self._model is None:
            from transformers import AutoModelForCausalLM

            from acclimate.models.device import pick_device, pick_dtype
            from acclimate.models.loading import load_pretrained

            where = pick_device(self.device)
            model, information = load_pretrained(
                AutoModelForCausalLM, self.reference, dtype=pick_dtype(self.dtype, where), output_loading_info=True
            )
            if information["missing_keys"]:
                raise InputError(
                    f"The weights of '{self.name}' lack {len(information['missing_keys'])} tensors of a causal language model,"
                    f" such as {min(information['missing_keys'])}",
                    expected="a whole causal model; missing weights would be random numbers",
                    fix="choose a causal language model, for example asset:smollm2",
                )
            model.requires_grad_(requires_grad=False)
            model.eval().to(where)
            _check_causal(self.name, model)
            self._model = model
        return self._model

    @property
    def context(self) -> int:
        """Tokens read at once: ``max_length``, or fewer where the model was made for fewer."""
        limit = self.model.config.to_dict().get("max_position_embeddings")
        return min(self.max_length, limit or self.max_length)

    def count_tokens(self, text: str) -> int:
        """The number of the model's tokens in a text, without marks at its beginning or end."""
        from acclimate.models.loading import quiet

        with quiet():
            return len(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def tokens(self, content: Content) -> Tokens:
        """A text or a conversation as the model reads it, whole.

        Of a text every token but the first is scored; of a conversation, written out by the model's chat template, the answers of
        the assistant and the marks that end them.

        Raises:
            InputError: a conversation for a model without a chat template, or one that its template refuses.
        """
        from acclimate.models.loading import quiet

        text, spans = (content, [(0, len(content))]) if isinstance(content, str) else self._written(content)
        with quiet():
            special = isinstance(content, str)  # a chat template writes its own
            encoded = self.tokenizer(text, add_special_tokens=special, return_offsets_mapping=True)
        ids = np.asarray(encoded["input_ids"], dtype=np.int64)
        offsets = np.asarray(encoded["offset_mapping"], dtype=np.int64).reshape(-1, 2)
        scored = np.zeros(len(ids), dtype=bool)
        for start, stop in spans:
            scored |= (offsets[:, 0] >= start) & (offsets[:, 1] <= stop) & (offsets[:, 1] > offsets[:, 0])
        scored[:1] = False
        return Tokens(ids, scored, _bytes(text, offsets))

    def losses(self, examples: Examples) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """What each example costs the model: nats ``(n,)``, summed over its scored tokens, and the number of these ``(n,)``.

        The mean loss of an example is their quotient; 0 nats and 0 tokens where nothing can be scored, as in an empty text. An
        example's figures are the same to the last bit whatever else is asked for with it.
        """
        windows = [(row, window) for row, tokens in enumerate(self._read(examples)) for window in self._windows(tokens)]
        nats = np.zeros(len(examples))
        counts = np.zeros(len(examples), dtype=np.int64)
        parts = self.nats([window for _, window in windows])
        for (row, window), part in zip(windows, parts, strict=True):
            nats[row] += part
            counts[row] += int(window.scored.sum())
        return nats, counts

    def nats(self, examples: Sequence[Tokens]) -> NDArray[np.float64]:
        """What the scored tokens of each of ``n`` stretches of at most ``context`` tokens cost, ``(n,)``."""
        parts = np.zeros(len(examples))
        for batch in track(self.batches(examples), "Reading", total=None):
            parts[batch.rows] = self._nats(batch)
        return parts

    def behind(self, prompt: Content, answer: str) -> Tokens:
        """An answer behind a text or a conversation, the tokens of the answer alone scored; spaces between them are the answer's.

        In a conversation the mark that ends the answer is not scored: what follows is the same for every answer.
        """
        from acclimate.models.loading import quiet

        if isinstance(prompt, str):
            start = len(prompt.rstrip())
            text = prompt + answer
        else:
            text = self._templated(prompt, ask=True)
            start = len(text)
            text += answer
        with quiet():
            encoded = self.tokenizer(text, add_special_tokens=isinstance(prompt, str), return_offsets_mapping=True)
        ids = np.asarray(encoded["input_ids"], dtype=np.int64)
        offsets = np.asarray(encoded["offset_mapping"], dtype=np.int64).reshape(-1, 2)
        scored = (offsets[:, 1] > start) & (offsets[:, 1] > offsets[:, 0])
        scored[:1] = False
        return Tokens(ids, scored, _bytes(text, offsets))

    def scored_bytes(self, examples: Examples) -> NDArray[np.int64]:
        """UTF-8 bytes that the scored tokens of each example stand for, ``(n,)``: the denominator of bits per byte."""
        before = self.truncated
        found = [sum(int(window.bytes[window.scored].sum()) for window in self._windows(tokens)) for tokens in self._read(examples)]
        self.truncated = before  # counted where the example is read for its loss
        return np.array(found, dtype=np.int64)

    def batches(self, examples: Sequence[Tokens]) -> Iterator[Batch]:
        """Examples of at most ``context`` tokens in fixed shapes, longest first; those without a scored token are left out."""
        pad = self.tokenizer.pad_token_id or 0
        groups: dict[int, list[int]] = {}
        for row, tokens in enumerate(examples):
            if tokens.scored.any():
                padded = min(-(-len(tokens) // STEP) * STEP, self.context)
                groups.setdefault(padded, []).append(row)
        for length, members in sorted(groups.items(), reverse=True):
            size = max(1, PASS_TOKENS // length)
            for start in range(0, len(members), size):
                rows = members[start : start + size]
                ids = np.full((size, length), pad, dtype=np.int64)
                scored = np.zeros((size, length), dtype=bool)
                for place, row in enumerate(rows):
                    ids[place, : len(examples[row])] = examples[row].ids
                    scored[place, : len(examples[row])] = examples[row].scored
                yield Batch(rows, ids, scored)

    def first_window(self, examples: Examples) -> list[Tokens]:
        """The first ``context`` tokens of each example; counts what was cut off."""
        return [next(iter(self._windows(tokens, most=1)), tokens) for tokens in self._read(examples)]

    def continued(self, prompts: Sequence[Content], seeds: Sequence[int], manner: Manner) -> list[str]:
        """What the model writes behind each prompt, as text, without marks; see :meth:`answered` for whether it came to an end."""
        return [text for text, _ in self.answered(prompts, seeds, manner)]

    def answered(self, prompts: Sequence[Content], seeds: Sequence[int], manner: Manner) -> list[tuple[str, Written]]:
        """What the model writes behind each text, or answers to each conversation, drawn from a stream of its own.

        What a prompt is answered depends on the model, the prompt and its seed alone. Of a prompt that leaves no room for the
        answer the beginning is cut off, and counted in ``truncated``.
        """
        from acclimate.models.loading import quiet
        from acclimate.models.sampling import write

        config = self.model.config.to_dict()
        room = max(1, (config.get("max_position_embeddings") or 1 << 30) - manner.max_tokens)
        with quiet():
            read = [self._prompt(prompt) for prompt in prompts]
        self.truncated += sum(len(ids) > room for ids in read)
        found: list[Written | None] = [None] * len(prompts)
        pad = self.tokenizer.pad_token_id or 0
        for row, written in write(self.model, [ids[-room:] for ids in read], seeds, manner, pad=pad, ends=self._ends):
            found[row] = written
        with quiet():
            return [(self.tokenizer.decode(w.tokens, skip_special_tokens=True), w) for w in found if w is not None]

    def _prompt(self, content: Content) -> list[int]:
        if isinstance(content, str):
            return list(self.tokenizer(content)["input_ids"]) or [self.tokenizer.bos_token_id or self.tokenizer.eos_token_id or 0]
        return list(self.tokenizer(self._templated(content, ask=True), add_special_tokens=False)["input_ids"])

    @property
    def _ends(self) -> list[int]:
        """The tokens that end a text: the tokenizer's, and those that the model's own settings name."""
        named = self.model.generation_config.eos_token_id
        named = named if isinstance(named, list) else [named]
        return sorted({end for end in (self.tokenizer.eos_token_id, *named) if end is not None})

    def _nats(self, batch: Batch) -> NDArray[np.float64]:
        """The summed loss of each example of a batch, ``(r,)``."""
        import torch

        with torch.inference_mode():
            ids = torch.from_numpy(batch.ids).to(self.model.device)
            losses = token_losses(self.model(input_ids=ids, use_cache=False).logits, ids).cpu().numpy()
        nats: NDArray[np.float64] = np.where(batch.scored[:, 1:], losses.astype(np.float64), 0.0).sum(axis=1)
        return nats[: len(batch.rows)]

    def _read(self, examples: Examples) -> list[Tokens]:
        contents: Sequence[Content]
        if isinstance(examples, Domain):
            contents = examples.conversations if examples.modality == "chat" else examples.texts
        else:
            contents = examples
        return [self.tokens(content) for content in contents]

    def _windows(self, tokens: Tokens, most: int | None = None) -> list[Tokens]:
        """The stretches of an example that are read, each but the first starting with the last token of the one before."""
        context, most = self.context, most or self.windows
        starts = list(range(0, max(len(tokens) - 1, 1), context - 1))
        self.truncated += len(starts) > most
        stretches = []
        for start in starts[:most]:
            stretches.append(tokens.between(start, start + context))
            stretches[-1].scored[:1] = False
        return stretches

    def _written(self, turns: Sequence[Message]) -> tuple[str, list[tuple[int, int]]]:
        """A conversation written out by the chat template, and where in it the assistant's answers stand."""
        spans = []
        whole = self._templated(turns, ask=False)
        for number, turn in enumerate(turns):
            if turn["role"] != "assistant":
                continue
            before = self._templated(turns[:number], ask=True) if number else ""
            until = self._templated(turns[: number + 1], ask=False)
            if not (until.startswith(before) and whole.startswith(until.rstrip())):
                raise InputError(
                    f"The chat template of '{self.name}' writes earlier turns differently once later ones follow",
                    expected="a template under which a conversation begins with its own beginning",
                    fix="give each answer as a conversation of its own, or choose another model",
                )
            spans.append((len(before), len(until.rstrip())))
        return whole, spans

    def _templated(self, turns: Sequence[Message], *, ask: bool) -> str:
        from jinja2 import TemplateError

        if self.tokenizer.chat_template is None:
            raise InputError(
                f"The model '{self.name}' has no chat template",
                expected="a model made for conversations",
                fix="choose one, for example asset:smollm2, or give texts",
            )
        try:
            return str(self.tokenizer.apply_chat_template(list(turns), tokenize=False, add_generation_prompt=ask))
        except (TemplateError, KeyError, TypeError) as error:
            raise InputError(
                f"The chat template of '{self.name}' refuses a conversation: {str(error).rstrip('.')}",
                expected="turns of system, user and assistant in the order that the model knows",
                fix="correct or drop that conversation, or choose another model",
            ) from error


@functools.lru_cache(maxsize=2)
def load_causal(name: str, device: str = "auto") -> CausalModel:
    """A causal model by name; remembered, so that chunk after chunk of texts shares it."""
    return CausalModel(name, device)


def _check_causal(name: str, model: Any) -> None:
    """Refuse a model whose prediction of a token depends on later ones, such as BERT: its losses would mean nothing."""
    import torch

    with torch.inference_mode():
        first = model(input_ids=torch.tensor([[3, 4], [3, 5]], device=model.device)).logits[:, 0].float()
    if not torch.allclose(first[0], first[1], rtol=1e-3, atol=1e-3):
        raise InputError(
            f"'{name}' ({model.config.model_type}) sees the tokens that follow the one it predicts",
            expected="a causal language model, such as Llama, Qwen or GPT-2",
            fix="choose one, for example asset:smollm2",
        )


def token_losses(logits: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
    """The cross-entropy of each token but the first given those before it, in nats: ``(b, t, v)``, ``(b, t)`` to ``(b, t - 1)``."""
    import torch

    flat = torch.nn.functional.cross_entropy(logits[:, :-1].float().flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    return flat.view(ids.shape[0], -1)


def resolve_causal(name: str) -> ModelReference:
    """As :func:`acclimate.models.reference.resolve`, and GGUF files as well."""
    from acclimate.models.gguf import as_safetensors, gguf_file

    folder = fetch(name.removeprefix("asset:")) if name.startswith("asset:") else Path(name).expanduser()
    packed = gguf_file(folder) if name else None
    if packed is None:
        return resolve(name)
    return dataclasses.replace(resolve(str(as_safetensors(packed))), name=name)


def _bytes(text: str, offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """UTF-8 bytes of the characters that each token is the first to reach, ``(t,)``; tokens may share a character."""
    code_points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.int64)
    sizes = 1 + (code_points >= 0x80) + (code_points >= 0x800) + (code_points >= 0x10000)
    before = np.concatenate([[0], np.cumsum(sizes)])
    reached = np.maximum.accumulate(np.concatenate([[0], offsets[:, 1]]))[:-1]
    starts = np.maximum(offsets[:, 0], reached)
    sized: NDArray[np.int64] = before[np.maximum(offsets[:, 1], starts)] - before[starts]
    return sized
