"""A target is split by class, by seed, once; its test and validation are sealed; contradictions are named."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from acclimate.data.domain import Domain, from_columns
from acclimate.data.load import load, target
from acclimate.data.make import check_labels, make_target
from acclimate.data.target import Ledger
from acclimate.data.write import write
from acclimate.errors import InputError


def _domain(count: int = 40, name: str = "clinic", classes: tuple[str, ...] = ("no", "yes")) -> Domain:
    return from_columns(name, [f"{name} note {row}" for row in range(count)], [classes[row % len(classes)] for row in range(count)])


def _file(folder: Path, name: str, domain: Domain) -> Path:
    write(domain, folder / name)
    return folder / name


def test_shares_and_counts_are_of_the_whole_and_stratified() -> None:
    made = make_target(_domain(40), test=0.25, validation=10, seed=1)
    assert (len(made.test), len(made.labelled)) == (10, 20)
    assert made.validation is not None
    assert len(made.validation) == 10
    assert made.test.unseal(Ledger(), "here").labels.count("yes") == 5
    assert {*made.test.inputs.ids, *made.validation.inputs.ids, *made.labelled.ids} == set(_domain(40).ids)


def test_the_test_depends_on_the_seed_alone_and_not_on_validation() -> None:
    plain, with_validation = make_target(_domain(), test=10, seed=3), make_target(_domain(), test=10, validation=8, seed=3)
    assert plain.test.inputs.ids == with_validation.test.inputs.ids
    assert plain.test.inputs.ids != make_target(_domain(), test=10, seed=4).test.inputs.ids


@pytest.mark.parametrize("validation", [None, "cv5"])
def test_k_fold_validation_seals_nothing_now(validation: str | None) -> None:
    made = make_target(_domain(), test=0.3, validation=validation)
    assert made.validation is None
    assert made.classes == ("no", "yes")
    assert len(made.unlabelled) == 0


@pytest.mark.parametrize("test", [0, 1.0, -3, -0.5, True, "", 1.5])
def test_an_impossible_share_is_refused(test: object) -> None:
    with pytest.raises(InputError, match="Expected: a share between 0 and 1"):
        make_target(_domain(), test=test)  # type: ignore[arg-type]


def test_more_test_examples_than_there_are_is_refused() -> None:
    with pytest.raises(InputError, match="40 labelled examples were asked for, but 'clinic' has 40"):
        make_target(_domain(40), test=40)


def test_one_class_only_is_refused() -> None:
    with pytest.raises(InputError, match=r"one class only: 'yes'.*at least two classes"):
        make_target(_domain(classes=("yes",)))


def test_one_row_is_refused() -> None:
    with pytest.raises(InputError, match="one class only"):
        make_target(_domain(1))


def test_missing_labels_are_refused_with_the_first_row() -> None:
    domain = from_columns("clinic", ["a", "b", "c"], ["x", None, "y"])
    with pytest.raises(InputError, match=r"1 of 3 examples .*\(the first is 'clinic:1'\).*unlabelled"):
        make_target(domain)
    with pytest.raises(InputError, match="'clinic' has no labels"):
        make_target(domain.without_labels())


def test_parts_of_their_own_are_sealed_whole(tmp_path: Path) -> None:
    main = _file(tmp_path, "train.csv", _domain(20))
    made = target(
        main,
        test=str(_file(tmp_path, "test.jsonl", _domain(6, "other"))),
        validation=_file(tmp_path, "dev.tsv", _domain(4, "dev")),
        unlabelled=_file(tmp_path, "more.parquet", from_columns("more", ["x y"], ["secret"])),
    )
    assert (len(made.labelled), len(made.test), made.name) == (20, 6, "train")
    assert made.validation is not None
    assert len(made.validation) == 4
    assert "secret" not in str(made.unlabelled.table.to_pylist())
    assert any("labels were dropped" in note for note in made.notes)


def test_files_that_number_their_rows_alike_keep_distinct_ids(tmp_path: Path) -> None:
    for folder, name in (("train", "clinic"), ("test", "other")):
        domain = _domain(20, name)
        write(domain.with_column("id", pa.array([str(row) for row in range(20)])), tmp_path / folder / "data.csv")
    made = target(tmp_path / "train" / "data.csv", test=tmp_path / "test" / "data.csv")
    assert made.labelled.ids[:2] == ["0", "1"]
    assert made.test.inputs.ids[:2] == ["test/0", "test/1"]
    assert any("ids start with 'test/'" in note for note in made.notes)


def test_a_test_label_never_seen_in_the_labelled_part_is_named() -> None:
    with pytest.raises(InputError, match=r"test part .* 1 labels unknown to the labelled part: 'Yes'.*is 'Yes' the label 'yes'"):
        make_target(_domain(), test=_domain(6, "other", ("no", "Yes")))


def test_a_target_label_unknown_to_the_source_is_named() -> None:
    made = make_target(_domain())
    check_labels(_domain(10, "pool", ("no", "yes", "maybe")), made)
    with pytest.raises(InputError, match=r"target 'clinic' has 1 labels unknown to the source 'pool': 'yes'"):
        check_labels(_domain(10, "pool", ("no", "1")), made)
    with pytest.raises(InputError, match="10 of 10 examples of the source 'pool' have no label"):
        check_labels(_domain(10, "pool").without_labels(), made)


def test_an_id_in_two_parts_is_refused() -> None:
    with pytest.raises(InputError, match="The id 'clinic:0' is in 'clinic' and again in 'clinic'"):
        make_target(_domain(), test=_domain(4))


def test_what_reading_announced_and_skipped_reaches_the_target(tmp_path: Path) -> None:
    rows = "".join(f'{{"body": "note {row}", "label": {row % 2}}}\n' for row in range(20))
    (tmp_path / "a.jsonl").write_text(rows + "broken\n")
    made = target(tmp_path / "a.jsonl", on_bad_row="skip")
    assert made.skipped == 1
    assert made.notes == made.labelled.notes == load(tmp_path / "a.jsonl", on_bad_row="skip").notes


def test_nothing_that_could_tell_a_label_goes_with_unlabelled_inputs() -> None:
    """A rating from which the label was made says as much as the label."""
    domain = _domain(20)
    rated = domain.with_column("rating", pa.array([1.0 if label == "yes" else -1.0 for label in domain.labels]))
    made = make_target(rated, test=0.3, validation=0.2)
    drawn = made.draw(4, seed=0)
    assert made.validation is not None
    for inputs in (made.test.inputs, made.validation.inputs, made.inputs, drawn.unlabelled):
        assert "rating" not in inputs.table.column_names
        assert "label" not in inputs.table.column_names
    assert "rating" in made.labelled.table.column_names
