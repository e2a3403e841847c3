"""What hurts is named, and nothing else: planted harm in one source domain and in one augmentation, and a clean pool."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from acclimate.data.domain import Domain, concatenate
from acclimate.data.make import make_target
from acclimate.engine.storage import read_json
from acclimate.strategy.arms import EVERYTHING, Arm, Method, settings
from acclimate.strategy.compare import measure
from acclimate.strategy.evidence import evidence_table
from acclimate.strategy.negative_transfer import WITHOUT, examine, further_arms
from acclimate.strategy.outcome import NegativeTransfer
from acclimate.strategy.plan import Plan
from acclimate.strategy.run_folder import RunFolder
from acclimate.strategy.units import Bench
from tests.shift import BAD, GOOD, sentences

FEELINGS = [*GOOD, *BAD]


class Feelings:
    """Texts as how often each word of feeling stands in them: vectors on which a probe cannot fail but by its labels."""

    def __call__(self, texts) -> np.ndarray:
        counts = [[text.split().count(word) for word in FEELINGS] for text in texts]
        return np.array(counts, dtype=np.float32).reshape(len(texts), len(FEELINGS)) + 0.05


def flipped(domain: Domain) -> Domain:
    return domain.with_strings("label", [{"good": "bad", "bad": "good"}[str(label)] for label in domain.labels])


def source(*, harmful: bool) -> Domain:
    parts = [sentences("shop", 60, 0), sentences("film", 60, 1), sentences("clinic", 150, 2, name="rumours")]
    return concatenate("pool", [*parts[:2], flipped(parts[2]) if harmful else parts[2]])


def found(
    folder: Path, pool: Domain, arms: tuple[Arm, ...], labels: int | None = 16, **changes
) -> tuple[NegativeTransfer, Plan, list]:
    target = make_target(sentences("clinic", 300, 9, name="ward"), test=0.5)
    plan = Plan(
        pool, target, arms, "asset:minilm", seeds=3, labels=labels, folds=2, confirm_seeds=0, negative_transfer=True, **changes
    )
    plan.check()
    bench = Bench(plan, Feelings(), "", None)  # type: ignore[arg-type]  # whatever embeds serves
    run = RunFolder(folder)
    measured = measure(plan, bench, run)
    harm, further = examine(plan, bench, run, measured)
    return harm, plan, [*measured.all_units(), *(unit for units in further.values() for unit in units)]


PLAIN = (Arm("all", target_weight=2.0),)


def test_a_domain_with_flipped_labels_is_named_and_no_other(tmp_path: Path) -> None:
    harm, plan, units = found(tmp_path, source(harmful=True), PLAIN)
    assert [(culprit.kind, culprit.name) for culprit in harm.culprits if culprit.kind == "domain"] == [("domain", "rumours")]
    domains = {suspect.name: suspect for suspect in harm.suspects if suspect.kind == "domain"}
    assert list(domains) == ["shop", "film", "rumours"]
    worst = domains["rumours"]
    assert worst.comparison.high < 0
    assert worst.comparison.control == WITHOUT
    assert worst.examples == 150
    assert worst.validation is not None
    assert worst.validation.difference < 0
    assert [arm.name for arm in further_arms(plan)] == [f"all source without {name} + target" for name in domains]
    rows = evidence_table(units).to_pandas()
    with_it = rows[(rows.arm == "everything") & (rows.split == "test")].accuracy.mean()
    without = rows[(rows.arm == "all source without rumours + target") & (rows.split == "test")].accuracy.mean()
    assert worst.comparison.difference == pytest.approx(with_it - without)
    trained = rows[rows.arm == "all source without rumours + target"].trained_on_source
    assert set(trained) == {len(plan.source) - 150}


def test_in_a_clean_pool_nothing_is_named(tmp_path: Path) -> None:
    harm, _, _ = found(tmp_path, source(harmful=False), PLAIN)
    assert harm.culprits == []
    assert len(harm.suspects) == 1 + 3


def test_an_augmentation_that_spoils_its_arm_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from acclimate.augment import METHODS as EXPANDERS
    from acclimate.augment.expand.eda import Eda

    class Spoils(Eda):
        """New examples as EDA makes them, with the other class's label."""

        def expand(self, examples, times, seed, workers=1):
            return flipped(super().expand(examples, times, seed, workers))

    monkeypatch.setitem(EXPANDERS, "spoils", Spoils)
    unguarded = {"guard": "none", "synonyms": "none"}
    arm = Arm(
        "none", augment=tuple(Method(name, settings({"times": times, **unguarded})) for name, times in (("spoils", 4), ("eda", 1)))
    )
    harm, _, _ = found(tmp_path, source(harmful=False), (arm,), labels=40)
    verdicts = {
        suspect.name.split("(")[0]: suspect.comparison.verdict for suspect in harm.suspects if suspect.kind == "augmentation"
    }
    assert verdicts["spoils"] == "hurt"
    assert verdicts["eda"] != "hurt"
    assert [culprit.name for culprit in harm.culprits if culprit.kind == "arm"] == [arm.name]


def test_an_arm_without_its_only_augmentation_is_the_control_that_is_there() -> None:
    arm = Arm("all", augment=(Method("eda", settings({"times": 1, "synonyms": "none"})),))
    target = make_target(sentences("clinic", 60, 9, name="ward"), test=0.5)
    plan = Plan(source(harmful=False), target, (arm,), "asset:minilm", folds=2)
    assert str(EVERYTHING) == "all source + target"
    assert all(further.without for further in further_arms(plan))


def test_without_target_labels_domains_are_left_out_of_source_only(tmp_path: Path) -> None:
    arms = (Arm("all", target=False, features=Method("coral")),)
    harm, plan, _ = found(tmp_path, source(harmful=True), arms, labels=0, validator="entropy")
    assert [culprit.name for culprit in harm.culprits if culprit.kind == "domain"] == ["rumours"]
    assert "all source without rumours" in [arm.name for arm in further_arms(plan)]
    assert all(suspect.validation is None for suspect in harm.suspects)


def test_what_cannot_be_left_out_is_said(tmp_path: Path) -> None:
    single, _, _ = found(tmp_path / "one", sentences("shop", 60, 0), PLAIN)
    assert single.notes == ("the source 'shop' is a single domain, so that none can be left out",)
    shop = sentences("shop", 60, 0)
    halves = [shop.take([row for row, label in enumerate(shop.labels) if label == name], name) for name in ("good", "bad")]
    pool = concatenate("pool", [half.with_strings("domain", [half.name] * len(half)) for half in halves])
    apart, _, _ = found(tmp_path / "two", pool, PLAIN)
    assert len(apart.notes) == 2
    assert "fewer than two classes would be left" in apart.notes[0]


def test_the_command_line_and_the_report_tell_it(tmp_path: Path, encoder_folder: Path) -> None:
    from acclimate.data.write import write

    write(source(harmful=True).table, tmp_path / "pool.csv")
    write(sentences("clinic", 80, 9, name="ward").table, tmp_path / "ward.csv")
    (tmp_path / "recipe.yaml").write_text(
        f"model: {encoder_folder}\nsource: {{path: pool.csv}}\ntarget: {{path: ward.csv, test: 0.4, labels: 20, validation: cv2}}\n"
        "arms: [{source: all, augment: {method: eda, times: 1, synonyms: none}}]\n"
        "seeds: 2\nconfirm: {seeds: 0}\nworkers: 1\nreport: {language: zh}\n",
        encoding="utf-8",
    )
    out = tmp_path / "out"
    command = [
        sys.executable,
        "-m",
        "acclimate.cli.main",
        "compare",
        str(tmp_path / "recipe.yaml"),
        "--negative-transfer",
        "--json",
    ]
    done = subprocess.run([*command, "--out", str(out)], capture_output=True, text=True, check=True)
    import json

    told = json.loads(done.stdout)["negative_transfer"]
    assert [suspect["kind"] for suspect in told["suspects"]] == ["arm", "augmentation", "domain", "domain", "domain"]
    assert read_json(out / "verdict.json")["negative_transfer"]["suspects"] == told["suspects"]
    page = (out / "report.html").read_text(encoding="utf-8")
    assert "负迁移" in page
    assert "rumours" in page
    assert sum(line["arm"].startswith("all source without") for line in read_json(out / "ledger.json")) == 3 * 2 * 3
