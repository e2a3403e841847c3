"""A synthetic domain shift that a bag of words can see: two classes, several domains, and words that only some of them share."""

from __future__ import annotations

import random
from pathlib import Path

from acclimate.data.domain import Domain, concatenate, from_columns

GOOD = ("good", "great", "fine", "lovely")
BAD = ("bad", "awful", "poor", "ugly")
TOPICS = {
    "shop": ("parcel", "price", "order", "seller", "box"),
    "film": ("actor", "scene", "plot", "music", "story"),
    "clinic": ("nurse", "doctor", "ward", "visit", "pill"),
}
FILLERS = ("the", "a", "was", "very", "and", "it", "this", "quite")
WORDS = [*GOOD, *BAD, *FILLERS, *(word for words in TOPICS.values() for word in words), *"0123456789"]


def sentences(topic: str, count: int, seed: int, name: str | None = None) -> Domain:
    """``count`` labelled sentences about one topic; classes alternate."""
    rng = random.Random(seed)
    texts, labels = [], []
    for row in range(count):
        label = ("bad", "good")[row % 2]
        feeling = rng.choice(GOOD if label == "good" else BAD)
        words = [*rng.choices(TOPICS[topic], k=3), *rng.choices(FILLERS, k=4), feeling, *rng.choices("0123456789", k=3)]
        rng.shuffle(words)
        texts.append(" ".join(words))
        labels.append(label)
    name = name or topic
    return from_columns(name, texts, labels, domains=[name] * count)


def pool(count: int = 120, seed: int = 0) -> Domain:
    """A source of two domains, neither of them the clinic."""
    return concatenate("pool", [sentences("shop", count // 2, seed), sentences("film", count // 2, seed + 1)])


def make_encoder(folder: Path) -> Path:
    """Save a tiny random BERT with a word-level vocabulary of :data:`WORDS` into ``folder``."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizerFast

    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(WORDS)]
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    BertTokenizerFast(vocab={word: row for row, word in enumerate(vocabulary)}).save_pretrained(folder)
    return folder
