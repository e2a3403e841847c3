"""How many examples repeat others, counted on samples."""

from __future__ import annotations

from acclimate.data.domain import Domain
from acclimate.data.hygiene import Reference, normal_forms, repeats


def repeated_within(domain: Domain) -> float:
    """The share of rows that nearly repeat an earlier one, by the rules of hygiene (pictures: the same pixels); 0 where empty."""
    if not len(domain):
        return 0.0
    if domain.modality == "image":
        return 1 - len(set(normal_forms(domain))) / len(domain)
    from acclimate.data.near_duplicates import Collected

    seen = Collected()
    count = 0
    for text in domain.texts:
        count += seen.twin(text) >= 0
        seen.add(text)
    return count / len(domain)


def repeated_across(source: Domain, target: Domain) -> float:
    """The share of source rows that repeat a target row, by the rules of hygiene."""
    if not len(source) or not len(target):
        return 0.0
    found = repeats(source.without_labels(), Reference([("target", target)]))
    return sum(one is not None for one in found) / len(source)
