"""The recipe: a YAML file that says what to do, and the models that check it.

A recipe never enters mathematics: ``pipeline`` unpacks it into plain arguments. Every mistake is reported with its line and, for a
misspelt name, the nearest valid one.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, ValidationInfo, field_validator

from acclimate.engine.yaml_loader import Loader
from acclimate.errors import InputError, nearest
from acclimate.evaluate.validators import METHODS as VALIDATORS
from acclimate.evaluate.validators import SAFEST
from acclimate.tune.hardware import Hardware
from acclimate.tune.settings import TuneSettings

Location = tuple[str | int, ...]

#: A value longer than this is cut in messages.
_SHOWN = 80


class Spec(BaseModel):
    """What every part of a recipe has in common: it cannot change, and it accepts no key it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class DataSpec(Spec):
    """Where examples come from and which columns mean what. Paths are relative to the recipe's folder."""

    path: str | tuple[str, ...]
    text: str | None = None
    image: str | None = None
    label: str | None = None
    domain: str | None = None
    id: str | None = None
    weight: str | None = None
    domains: tuple[str, ...] | None = Field(default=None, description="keep only rows of these domains")
    rows: int | None = Field(
        default=None, gt=0, description="learn from this many rows at most, drawn once, the same for each seed"
    )
    on_bad_row: Literal["fail", "skip"] = "fail"


class TargetSpec(DataSpec):
    """The target: as a source, and how it is split."""

    test: float | int | str = 0.3
    validation: float | int | str = "cv5"
    unlabelled: str | None = None
    labels: int | None = Field(default=None, ge=0, description="learn from this many labels, drawn anew for each seed; 0 from none")
    split_seed: int = 0

    @field_validator("test", "validation", mode="before")
    @classmethod
    def _share(cls, value: Any, info: ValidationInfo) -> Any:
        """``30%`` is a share and ``"200"`` a count, not files of that name."""
        from acclimate.data.make import parse_share

        if info.field_name == "validation" and is_folds(value):
            if int(value[2:]) < 2:
                raise ValueError(f"expected at least 2 folds, such as cv5, found {value}")
            return value
        if info.field_name == "validation" and is_label_free(value):
            return value
        share = _told(lambda: parse_share(value, str(info.field_name)))
        if share is None:
            raise ValueError("expected a share between 0 and 1, a count or a file")
        return share

    @property
    def validator(self) -> str:
        """The validator that ranks without labels; empty where labels validate.

        Folds of no labels are none: with ``labels: 0`` the safest validator stands in for them.
        """
        from acclimate.evaluate.validators.failures import safest

        if self.validation == SAFEST or (self.labels == 0 and is_folds(self.validation)):
            return safest()
        return str(self.validation) if is_label_free(self.validation) else ""


class MethodSpec(BaseModel):
    """A method by name; every other key is one of its settings."""

    model_config = ConfigDict(frozen=True, extra="allow")
    method: str

    @property
    def settings(self) -> dict[str, Any]:
        return dict(self.model_extra or {})


class SelectSpec(MethodSpec):
    """A selector and how much of the source it keeps: a count (5000), a share (20%) or tokens (2M tokens)."""

    budget: str = "20%"
    pick: str | dict[str, Any] | None = Field(
        default=None, description="how rows are taken: gumbel, or {per: class, distinct: true}"
    )

    @field_validator("pick")
    @classmethod
    def _known_pick(cls, value: Any) -> Any:
        from acclimate.select.pick import Pick

        _told(lambda: Pick.parse(value))
        return value

    @field_validator("budget", mode="before")
    @classmethod
    def _as_text(cls, value: Any) -> str:
        """A budget in the words in which tables show it."""
        from acclimate.select.budget import Budget

        return str(_told(lambda: Budget.parse(value)))


class ArmTuneSpec(Spec):
    """What one arm changes about training."""

    objectives: tuple[str | MethodSpec, ...] = ()
    pretrain: tuple[str | MethodSpec, ...] = Field(default=(), description="before fine-tuning: dapt, tapt, vocabulary")
    learn: str | MethodSpec | None = Field(default=None, description="trains in several rounds: self-training")
    features: str | MethodSpec | None = Field(default=None, description="adapts the frozen vectors that the probe is fitted on")
    target_weight: float = Field(default=1.0, gt=0, description="weight of a target example against a source example")


class ArmSpec(Spec):
    """One way to adapt: what of the source, how the target grows, how the model learns."""

    source: Literal["none", "all"] | None = Field(default=None, description="without `select`: none of the source, or all of it")
    select: SelectSpec | None = None
    augment: tuple[MethodSpec, ...] = ()
    target: bool = Field(default=True, description="whether it learns from the target's labels; false adapts without them")
    tune: ArmTuneSpec = ArmTuneSpec()

    @field_validator("augment", mode="before")
    @classmethod
    def _as_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, dict) else value


class ConfirmSpec(Spec):
    """Real fine-tuning after the screening on frozen features: how often, and of which arms."""

    seeds: int = Field(default=3, ge=0, description="0 leaves fine-tuning out")
    all_arms: bool = Field(default=False, description="fine-tune every arm and control, not only the best of each")


class SearchSpec(Spec):
    """Which settings of one arm are searched, and how (`acclimate search`)."""

    arm: int = Field(default=1, ge=1, description="which of `arms` is searched, counted from 1")
    fidelity: str = Field(default="probe", description="probe (frozen features) or fine-tune")
    sampler: str = Field(default="tpe", description="grid, random, tpe or cma-es")
    pruner: str = Field(default="none", description="none, successive-halving or hyperband")
    trials: int = Field(default=30, ge=1)
    seconds: float | None = Field(default=None, gt=0, description="no trial begins after so long")
    validation: str | None = Field(default=None, description="cvK or holdout; as the target's where not given")
    repeats: int = Field(default=1, ge=1, description="repetitions behind a trial, each with other labels, folds and seeds")
    finalists: int = Field(default=3, ge=0, description="the best trials, measured anew; 0 leaves that out")
    fresh: int = Field(default=5, ge=1, description="repetitions on which finalists are measured anew")
    seed: int = 0
    storage: str | None = Field(default=None, description="a URL as SQLAlchemy reads it; SQLite in the run's folder by default")
    space: dict[str, Annotated[Any, AfterValidator(lambda value: _checked_dimension(value))]] = Field(
        default={}, description="by name: {low, high, log, step} or a list of choices; a default where empty"
    )

    @field_validator("fidelity", "sampler", "pruner")
    @classmethod
    def _known_name(cls, value: str, info: ValidationInfo) -> str:
        from acclimate.strategy.search.asked import Asked

        given: dict[str, Any] = {str(info.field_name): value}
        _told_with_fix(lambda: Asked(**given))
        return value

    @field_validator("validation")
    @classmethod
    def _known_validation(cls, value: str | None) -> str | None:
        if value is not None and value != "holdout" and not (is_folds(value) and int(value[2:]) >= 2):
            raise ValueError(f"expected cvK with K of at least 2, or holdout, found {value}")
        return value


class ReportSpec(Spec):
    """The report's language."""

    language: Literal["en", "zh"] = "en"


class Recipe(Spec):
    """The whole file."""

    task: Literal["text-classification", "image-classification"] = "text-classification"
    name: str | None = None
    model: str = "asset:minilm"
    source: DataSpec
    target: TargetSpec
    decontaminate: tuple[str, ...] = Field(default=(), description="further test files that nothing learned from may repeat")
    arms: tuple[ArmSpec, ...] = Field(min_length=1)
    seeds: int = Field(default=5, ge=1, description="repetitions; fewer than 3 give no verdict worth the name")
    negative_transfer: bool = Field(default=False, description="leave out each augmentation and each source domain: which hurts?")
    confirm: ConfirmSpec = ConfirmSpec()
    search: SearchSpec = SearchSpec()
    tune: TuneSettings = TuneSettings()
    hardware: Hardware = Hardware()
    report: ReportSpec = ReportSpec()
    workers: int | None = Field(default=None, ge=1, description="processes; one per core where not given")

    @field_validator("decontaminate", mode="before")
    @classmethod
    def _as_list(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value

    @field_validator("name")
    @classmethod
    def _names_a_folder(cls, name: str | None) -> str | None:
        if name is not None and (name.strip() in ("", ".", "..") or "/" in name or "\\" in name):
            raise ValueError("expected a name that a folder can have; `--out` chooses another place")
        return name

    @field_validator("arms")
    @classmethod
    def _one_source(cls, arms: tuple[ArmSpec, ...]) -> tuple[ArmSpec, ...]:
        for arm in arms:
            if arm.select is not None and arm.source is not None:
                raise ValueError("an arm has either `select` or `source`, not both")
            if not arm.target and arm.select is None and arm.source != "all":
                raise ValueError("an arm with `target: false` needs `source: all` or `select`: it has no other labels")
            if not arm.target and arm.augment:
                raise ValueError("an arm with `target: false` cannot `augment`: that grows the target's labelled examples")
        return arms

    def to_yaml(self) -> str:
        """The resolved recipe: every default written out."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _told(make: Callable[[], Any]) -> Any:
    """What ``make`` gives; its InputError as the ValueError that pydantic puts beside a place."""
    try:
        return make()
    except InputError as error:
        raise ValueError(f"{error.found}; expected {error.expected}") from error


def _told_with_fix(make: Callable[[], Any]) -> Any:
    """The same, with what the error says about mending it: the nearest valid name."""
    try:
        return make()
    except InputError as error:
        raise ValueError(f"{error.found}; {error.fix or 'expected ' + error.expected}") from error


def _checked_dimension(value: Any) -> Any:
    """A range or choices of a search, as written; see :func:`acclimate.strategy.search.space.parse_dimension`."""
    from acclimate.strategy.search.space import parse_dimension

    _told(lambda: parse_dimension(value))
    return value


def read_recipe(path: str | Path, *, arms: bool = True) -> Recipe:
    """Read and check a recipe file. One without a ``name`` is called by its file's.

    Args:
        arms: whether it has to name arms; advice is asked for before they are known.

    Raises:
        InputError: no such file, not YAML, or any mistake in it, each with its line.
    """
    place = Path(path)
    try:
        text = place.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(
            f"The recipe '{place}' cannot be read: {error.strerror}",
            expected="a YAML file",
            fix="check the path; `examples/` holds recipes to start from",
        ) from error
    except UnicodeDecodeError as error:
        raise InputError(
            f"The recipe '{place}' is not UTF-8 text (byte {error.start})", expected="a YAML file in UTF-8", fix="save it as UTF-8"
        ) from error
    recipe = _anchored(parse_recipe(text, str(place), arms=arms), place.parent)
    return recipe if recipe.name else recipe.model_copy(update={"name": place.stem})


def _anchored(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe with its paths made absolute: they are written relative to the recipe's own folder.

    A model is a path where such a folder is there; else it is left to be an asset or a name of the hub.
    """

    def anchor(value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(anchor(item) for item in value)
        is_setting = is_folds(value) or is_label_free(value)
        named = isinstance(value, str) and not value.startswith(("asset:", "hf:")) and not is_setting
        return str((folder / Path(value).expanduser()).resolve()) if named else value

    target = {key: anchor(getattr(recipe.target, key)) for key in ("path", "unlabelled", "test", "validation")}
    return recipe.model_copy(
        update={
            "model": anchor(recipe.model) if (folder / Path(recipe.model).expanduser()).is_dir() else recipe.model,
            "source": recipe.source.model_copy(update={"path": anchor(recipe.source.path)}),
            "target": recipe.target.model_copy(update=target),
            "decontaminate": anchor(recipe.decontaminate),
        }
    )


def is_folds(value: Any) -> bool:
    """Whether a validation setting means K-fold: ``cv5``."""
    return isinstance(value, str) and value.startswith("cv") and value[2:].isdigit()


def is_label_free(value: Any) -> bool:
    """Whether a validation setting names a validator that needs no labels: ``entropy``, or ``label-free`` for the safest."""
    return isinstance(value, str) and (value == SAFEST or value in VALIDATORS)


def parse_recipe(text: str, name: str = "recipe", *, arms: bool = True) -> Recipe:
    """Check the text of a recipe; ``name`` is what messages call it. Raises as :func:`read_recipe`; paths stay as written."""
    try:
        node = yaml.compose(text, Loader=Loader)
        values = yaml.load(text, Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}" if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        raise InputError(f"{name}{where}: not valid YAML: {problem}", expected="YAML", fix="check the indentation there") from error
    if not isinstance(values, dict):
        found = "nothing in it" if values is None else "text without keys"
        raise InputError(f"{name}: found {found}", expected="keys such as model, source, target, arms", fix="see examples/")
    places = list(_lines(node))
    values = values if arms else {"arms": [{"source": "all"}], **values}
    lines = dict(places)
    twice = [(place, f"the key '{place[-1]}' is there twice") for place, line in places if lines[place] != line]
    if twice:
        raise _explain(name, twice, lines)
    try:
        recipe = Recipe.model_validate(values)
    except ValidationError as error:
        raise _explain(name, [(tuple(e["loc"]), _message(e)) for e in _causes(error)], lines) from error
    except InputError as error:  # a training setting outside its range
        raise InputError(
            f"{name}, line {_tune_line(lines, error)}: {error.found}", expected=error.expected, fix=error.fix
        ) from error
    problems = list(_method_problems(recipe))
    if problems:
        raise _explain(name, problems, lines)
    return recipe


def _lines(node: yaml.Node | None, at: Location = ()) -> Iterator[tuple[Location, int]]:
    """The line (from 1) of every key and item of a YAML tree."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = (*at, str(key.value))
            yield place, key.start_mark.line + 1
            yield from _lines(value, place)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            yield (*at, number), item.start_mark.line + 1
            yield from _lines(item, (*at, number))


def _explain(name: str, problems: list[tuple[Location, str]], lines: Mapping[Location, int]) -> InputError:
    """One error that names every problem with its line."""
    told: dict[str, None] = {}
    for location, message in problems:
        place = location
        while place and place not in lines:  # pydantic's own steps (a union's member) are not in the file
            place = place[:-1]
        where = ".".join(str(step) for step in place) or "recipe"
        told[f"line {lines.get(place, 1)}: {where}: {message}"] = None
    found = f"{name}, " + next(iter(told)) if len(told) == 1 else f"{name}:" + "".join(f"\n  {line}" for line in told)
    return InputError(found)


def _causes(error: ValidationError) -> list[Any]:
    """Pydantic's errors but those that only say that a list is short of an item which another error refused."""
    errors: list[Any] = list(error.errors())
    inner = {e["loc"][:depth] for e in errors for depth in range(len(e["loc"]))}
    return [e for e in errors if not (e["type"] == "too_short" and e["loc"] in inner)]


def _tune_line(lines: Mapping[Location, int], error: InputError) -> int:
    """The line of the training or hardware setting that an error names."""
    sections = ("tune", "hardware")
    named = [line for at, line in lines.items() if at[0] in sections and str(at[-1]) in error.found.split()]
    return named[-1] if named else next((lines[section,] for section in sections if (section,) in lines), 1)


def _message(error: Any) -> str:
    """One of pydantic's errors in our words, with the nearest valid key."""
    kind, location = error["type"], error["loc"]
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        known = _keys_at(location[:-1])
        close = nearest(str(location[-1]), known)
        return "unknown key" + (f"; did you mean '{close}'?" if close else f"; known keys: {', '.join(sorted(known))}")
    if kind == "missing":
        return f"the key '{location[-1]}' is missing"
    if kind == "value_error":  # our own words
        return str(error["msg"]).removeprefix("Value error, ")
    wanted = str(error["msg"]).replace("Input should be ", "expected ", 1)
    if kind in ("model_type", "model_attributes_type", "dataclass_type"):
        wanted = f"expected keys with values, such as {{{', '.join(f'{key}: ...' for key in _keys_at(location))}}}"
    shown = repr(error["input"])
    return f"found {shown if len(shown) <= _SHOWN else shown[:_SHOWN] + '…'}; {wanted}"


def _keys_at(location: Location) -> list[str]:
    """The keys that the model at a place of the recipe knows."""
    model: Any = Recipe
    for step in location:
        if isinstance(step, int) or not (inspect.isclass(model) and issubclass(model, BaseModel)):
            continue
        field = model.model_fields.get(step)
        model = _model_inside(field.annotation) if field else model
    if dataclasses.is_dataclass(model):
        return [field.name for field in dataclasses.fields(model)]
    return list(model.model_fields)


def _model_inside(annotation: Any) -> Any:
    """The model in ``Model``, ``Model | None`` or ``tuple[Model, ...]``."""
    for inner in getattr(annotation, "__args__", ()):
        if inspect.isclass(inner) and (issubclass(inner, BaseModel) or dataclasses.is_dataclass(inner)):
            return inner
    return annotation


def _method_problems(recipe: Recipe) -> Iterator[tuple[Location, str]]:
    """Unknown methods, settings that a method does not have, and values that it refuses."""
    from acclimate.augment import METHODS as EXPANDERS
    from acclimate.augment import ONLINE
    from acclimate.augment.policy import PolicySettings
    from acclimate.select import METHODS as SELECTORS
    from acclimate.tune import OBJECTIVES
    from acclimate.tune.learn import COURSES, STAGES
    from acclimate.tune.shallow import METHODS as SHALLOW

    yield from _search_problems(recipe)
    for number, arm in enumerate(recipe.arms):
        at: Location = ("arms", number)
        if arm.select is not None:
            yield from _problems_of(arm.select, SELECTORS, "selector", (*at, "select"))
        for position, spec in enumerate(arm.augment):
            extra = None if spec.method in ONLINE else _TIMES
            known = {**EXPANDERS, **ONLINE, "policy": PolicySettings}
            yield from _problems_of(spec, known, "augmenter", (*at, "augment", position), extra)
        if arm.tune.features is not None:
            yield from _problems_of(_as_spec(arm.tune.features), SHALLOW, "feature method", (*at, "tune", "features"))
        if arm.tune.learn is not None:
            yield from _problems_of(_as_spec(arm.tune.learn), COURSES, "way of learning", (*at, "tune", "learn"))
        for position, objective in enumerate(arm.tune.objectives):
            spec = _as_spec(objective)
            yield from _problems_of(spec, OBJECTIVES, "objective", (*at, "tune", "objectives", position), _WEIGHT)
        for position, stage in enumerate(arm.tune.pretrain):
            yield from _problems_of(_as_spec(stage), STAGES, "stage", (*at, "tune", "pretrain", position))


def _search_problems(recipe: Recipe) -> Iterator[tuple[Location, str]]:
    """An arm that is not there, and settings that the searched arm does not have."""
    asked = recipe.search
    if asked.arm > len(recipe.arms):
        yield ("search", "arm"), f"found {asked.arm}; there are {len(recipe.arms)} arms, counted from 1"
        return
    if not asked.space:
        return
    from acclimate.strategy.arms import Arm, Method
    from acclimate.strategy.search.candidate import known_names

    spec = recipe.arms[asked.arm - 1]

    def methods(specs: Iterable[str | MethodSpec | None]) -> tuple[Method, ...]:
        return tuple(Method(_as_spec(one).method) for one in specs if one is not None)

    single = {"features": spec.tune.features, "learn": spec.tune.learn, "select": spec.select}
    several = {"augment": spec.augment, "objectives": spec.tune.objectives, "pretrain": spec.tune.pretrain}
    named: dict[str, Any] = {part: next(iter(methods([one])), None) for part, one in single.items()}
    named |= {part: methods(specs) for part, specs in several.items()}
    source: Any = "selected" if spec.select else spec.source or "none"
    known = known_names(Arm(source, spec.target, **named), asked.fidelity)  # type: ignore[arg-type]  # checked
    for name in asked.space:
        if name not in known:
            close = nearest(name, known)
            hint = f"did you mean '{close}'?" if close else f"known: {', '.join(sorted(known))}"
            yield ("search", "space", name), f"arm {asked.arm} has no setting '{name}' at fidelity '{asked.fidelity}'; {hint}"


def _as_spec(method: str | MethodSpec) -> MethodSpec:
    return MethodSpec(method=method) if isinstance(method, str) else method


def _problems_of(
    spec: MethodSpec, methods: Mapping[str, Any], kind: str, at: Location, extra: Mapping[str, Any] | None = None
) -> Iterator[tuple[Location, str]]:
    """``extra``: types of settings that are not the constructor's."""
    from acclimate.engine.build import build

    extra = extra or {}
    if spec.method not in methods:
        close = nearest(spec.method, methods)
        hint = f"did you mean '{close}'?" if close else f"known: {', '.join(sorted(methods))}"
        yield (*at, "method"), f"unknown {kind} '{spec.method}'; {hint}"
        return
    known = [*(name for name in inspect.signature(methods[spec.method]).parameters if name not in _PROVIDED), *extra]
    for name, value in spec.settings.items():
        try:
            if name not in known:
                close = nearest(name, known)
                hint = f"did you mean '{close}'?" if close else f"known settings: {', '.join(sorted(known)) or 'none'}"
                yield (*at, name), f"'{spec.method}' has no setting '{name}'; {hint}"
            elif name in extra:
                TypeAdapter(extra[name]).validate_python(value)
            else:
                build(methods, kind, spec.method, {name: value}, _PROVIDED)
        except InputError as error:
            yield (*at, name), f"{error.found}; expected {error.expected}"
        except ValidationError as error:
            yield (*at, name), _message(error.errors()[0])


def _checked_guard(value: Any) -> Any:
    from acclimate.augment.guard.run import check_guards

    check_guards(value)
    return value


#: What the pipeline hands to a constructor; not settings.
_PROVIDED = {
    "embed": None,
    "seed": 0,
    "learner": None,
    "predict": None,
    "language_model": None,
    "tools": None,
    "style": None,
    "training": None,
}
#: Settings beside a constructor's: new examples for each one and the guards they pass, and the factor before a term of the loss.
_TIMES = {"times": Annotated[int, Field(ge=1, strict=True)], "guard": Annotated[Any, AfterValidator(_checked_guard)]}
_WEIGHT = {
    "weight": Annotated[float, Field(gt=0, strict=True, allow_inf_nan=False)],
    "schedule": Literal["constant", "ganin", "linear", "falling"],
}
