"""Models small enough for any test, with random weights, saved as Hugging Face saves them: masked, and translating."""

from __future__ import annotations

from pathlib import Path

from tests.shift import WORDS

SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
LETTERS = "abcdefghijklmnopqrstuvwxyz"


def make_masked(folder: Path) -> Path:
    """A masked BERT of 2 layers over words of tests, some Chinese characters and pieces of single letters."""
    import torch
    from transformers import BertConfig, BertForMaskedLM, BertTokenizerFast

    words = [*WORDS, "not", "quick", "brown", "fox", "jumps", "over", "lazy", "dog", *"这部电影的剧情非常精彩演员"]
    vocabulary = list(dict.fromkeys([*SPECIAL, *words, *LETTERS, *(f"##{letter}" for letter in LETTERS)]))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = BertConfig(
            vocab_size=len(vocabulary),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=48,
            max_position_embeddings=64,
            initializer_range=0.3,
        )
        BertForMaskedLM(config).save_pretrained(folder)
    vocab = {word: row for row, word in enumerate(vocabulary)}
    BertTokenizerFast(vocab=vocab, model_max_length=64).save_pretrained(folder)
    return folder


def make_translator(folder: Path, seed: int = 0) -> Path:
    """A Marian of 1 + 1 layers that reads and writes words of tests."""
    import torch
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import MarianConfig, MarianMTModel, PreTrainedTokenizerFast

    vocabulary = list(dict.fromkeys(["</s>", "<unk>", "<pad>", *WORDS, "quick", "brown", "fox", "电", "影"]))
    plain = Tokenizer(models.WordLevel({word: row for row, word in enumerate(vocabulary)}, unk_token="<unk>"))
    plain.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace()])
    plain.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 0)])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=plain, eos_token="</s>", unk_token="<unk>", pad_token="<pad>", model_max_length=24
    )
    tokenizer.save_pretrained(folder)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = MarianConfig(
            vocab_size=len(vocabulary),
            d_model=32,
            encoder_layers=1,
            decoder_layers=1,
            encoder_attention_heads=2,
            decoder_attention_heads=2,
            encoder_ffn_dim=48,
            decoder_ffn_dim=48,
            max_position_embeddings=64,
            pad_token_id=2,
            eos_token_id=0,
            forced_eos_token_id=None,
            decoder_start_token_id=2,
            init_std=0.5,
        )
        MarianMTModel(config).save_pretrained(folder)
    return folder
