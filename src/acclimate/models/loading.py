"""The one way in which weights enter: safetensors only, no code from the model's repository unless it was asked for, no noise."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from safetensors import SafetensorError
from transformers.utils import logging

from acclimate.errors import InputError
from acclimate.models.reference import TRUST, ModelReference

_FAILURES = (OSError, ValueError, RuntimeError, KeyError, ImportError, AttributeError, SafetensorError)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers inside: its weight-loading bar and its warnings about keys mean nothing to a user."""
    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()


def load_pretrained(auto_class: Any, reference: ModelReference, **settings: Any) -> Any:
    """``auto_class.from_pretrained`` on the model's folder, safely and quietly.

    Args:
        auto_class: such as ``transformers.AutoModel`` or ``AutoTokenizer``.
        settings: passed on, such as ``dtype``.
    Raises:
        InputError: the files are damaged, of an unknown architecture, or need code from the model's repository, which only runs
            where :data:`acclimate.models.reference.TRUST` names the model.
    """
    try:
        with quiet():
            return auto_class.from_pretrained(
                reference.location, trust_remote_code=reference.trusted, local_files_only=True, use_safetensors=True, **settings
            )
    except _FAILURES as error:
        if reference.brings_code and not reference.trusted:
            raise InputError(
                f"The model '{reference.name}' needs code from its own repository, which is not run unasked",
                expected="an architecture that transformers knows without extra code",
                fix=f"read that code; where you trust it, start the command with {TRUST}={reference.name}",
            ) from error
        reason = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise InputError(
            f"The model '{reference.name}' ({reference.location}) could not be loaded: {reason}",
            expected="a whole safetensors model with its tokenizer, of an architecture that transformers knows without extra code",
            fix="download it again, or choose another model, for example asset:minilm",
        ) from error
