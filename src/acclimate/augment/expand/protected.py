"""Words that augmentation leaves alone, in English and Chinese: negations, and function words without synonyms of their own."""

from __future__ import annotations

_ENGLISH_NEGATIONS = """
no not never none nobody nothing nowhere neither nor cannot without hardly scarcely barely rarely seldom lack lacks lacked lacking
aint arent cant couldnt didnt doesnt dont hadnt hasnt havent isnt mustnt neednt shouldnt wasnt werent wont wouldnt
"""
_ENGLISH_STOP_WORDS = """
i me my mine myself we us our ours ourselves you your yours yourself yourselves he him his himself she her hers herself it its
itself they them their theirs themselves who whom whose what which this that these those a an the and but or if because as until
while although though since unless whereas of at by for with about against between among into through during before after above
below to from up down in out on off over under again further then once here there when where why how all any both each few more
most other others some such only own same so than too very just also even still yet now am is are was were be been being have has
had having do does did doing done can could will would shall should may might must ought let
"""
_CHINESE_STOP_WORDS = """
我们 你们 他们 她们 它们 自己 这个 那个 这些 那些 这里 那里 什么 怎么 为什么 因为 所以 但是 可是 虽然 如果 而且 并且 或者 以及
就是 还是 只是 已经 正在 可以 一个 一些 一样 的话
"""

#: Without them, or moved, a text says the opposite. Contractions in n't are recognised by their ending (see :func:`is_negation`).
ENGLISH_NEGATIONS = frozenset(_ENGLISH_NEGATIONS.split())

#: Characters that negate the word they stand in or before; any Chinese word with one of them counts as a negation, even
#: 不错 ("not bad"): to leave too much alone is the safe side.
CHINESE_NEGATIONS = frozenset("不没沒无無非未勿别別莫毋否弗甭")

#: Function words: a thesaurus knows some of them, but only as other words ("a" the vitamin, "in" the inch).
STOP_WORDS = frozenset((_ENGLISH_STOP_WORDS + _CHINESE_STOP_WORDS).split())


def is_negation(word: str) -> bool:
    """Whether a word, in any case, negates.

    >>> [is_negation(word) for word in ("Not", "isn't", "isn\\u2019t", "不好", "note")]
    [True, True, True, True, False]
    """
    if word.isascii():
        lower = word.lower()
        return lower in ENGLISH_NEGATIONS or lower.endswith("n't")
    return word.lower().endswith("n\u2019t") or not CHINESE_NEGATIONS.isdisjoint(word)


def is_stop_word(word: str) -> bool:
    """Whether a lower-case word has no synonyms worth the name: a function word, or the rest of a contraction."""
    return word in STOP_WORDS or "'" in word or "\u2019" in word
