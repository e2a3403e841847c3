"""A method by its name and settings, as a recipe or a command line gives them, with an error that helps when they are wrong."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar, get_type_hints

from acclimate.errors import InputError, nearest, unknown_name

T = TypeVar("T")


def build(
    methods: Mapping[str, Callable[..., T]],
    kind: str,
    name: str,
    settings: Mapping[str, Any],
    provided: Mapping[str, Any] | None = None,
) -> T:
    """The method ``name`` of a family, constructed with ``settings``.

    Values are checked against the constructor's annotations, so ``"5"`` from a command line serves where an ``int`` is due.

    Args:
        methods: the family's ``METHODS``.
        kind: what the family calls its members, for messages: ``"selector"``.
        name: key of ``methods``.
        settings: the user's settings, keyword arguments of the constructor.
        provided: what the caller has at hand (a seed, an ``embed``); each is passed where the constructor takes it and is
            not a setting.

    Raises:
        InputError: no such method, no such setting (with the nearest valid name), a missing setting or a wrong type.
    """
    if name not in methods:
        raise unknown_name(kind, name, methods)
    method = methods[name]
    parameters = inspect.signature(method).parameters
    given = {key: value for key, value in (provided or {}).items() if key in parameters}
    choices = [key for key in parameters if key not in (provided or {})]
    _check_names(kind, name, settings, choices, parameters)
    hints = get_type_hints(method.__init__ if inspect.isclass(method) else method)
    checked = {key: _checked(kind, name, key, value, hints.get(key, Any)) for key, value in settings.items()}
    return method(**checked, **given)


def _check_names(
    kind: str, name: str, settings: Mapping[str, Any], choices: list[str], parameters: Mapping[str, inspect.Parameter]
) -> None:
    known = f"one of {', '.join(choices)}" if choices else "no settings"
    for key in settings:
        if key not in choices:
            close = nearest(key, choices)
            raise InputError(
                f"The {kind} '{name}' has no setting '{key}'",
                expected=known,
                fix=f"did you mean '{close}'?" if close else f"`acclimate methods {name}` explains each setting",
            )
    for key in choices:
        if key not in settings and parameters[key].default is inspect.Parameter.empty:
            raise InputError(f"The {kind} '{name}' needs the setting '{key}'", expected=known, fix=f"give {key}=...")


def _checked(kind: str, name: str, key: str, value: Any, hint: Any) -> Any:
    """The value as the annotation wants it."""
    from pydantic import TypeAdapter, ValidationError

    try:
        return TypeAdapter(hint).validate_python(value)
    except ValidationError as error:
        reason = error.errors()[0]["msg"]
        raise InputError(
            f"The setting '{key}' of the {kind} '{name}' is {value!r}",
            expected=reason[0].lower() + reason[1:],
            fix=f"`acclimate methods {name}` lists the settings with their defaults",
        ) from error
