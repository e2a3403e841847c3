"""The English sentences in the source that can reach a report, found by where they stand in the code, with 7 for every value."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import acclimate

PACKAGE = Path(acclimate.__file__).parent
#: Packages and modules whose notes, warnings and reasons a report shows.
SPEAKING = ("data", "gap", "select", "augment", "strategy", "features", "pipeline.py")
#: Modules whose errors a note quotes, because the run goes on without what failed.
QUOTED = ("gap/label_shift.py", "gap/divergence.py", "gap/base.py", "data/assets.py")

_NAMES = re.compile(r"(note|notes|guessed|warning|reason|lines|_\w*_NOTE)$")
_SENTENCE = re.compile(r"[A-Za-z]{2,}[^A-Za-z']+[A-Za-z]{2,}|=7|\b7 [a-z]{2,}|[a-z] JSON")
_FUNCTIONS = re.compile(r"(notes?|_?reasons?|_\w+_(problem|reason|notes)|check_sizes|_?take\w*)$")


def sentences() -> dict[str, str]:
    """Sentence to the place where it stands."""
    found: dict[str, str] = {}
    for part in SPEAKING:
        path = PACKAGE / part
        for file in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            name = file.relative_to(PACKAGE).as_posix()
            for node in _spoken(ast.parse(file.read_text(encoding="utf-8")), errors=name in QUOTED):
                for text in _texts(node):
                    found.setdefault(text, f"{name}:{node.lineno}")
    return found


def _spoken(tree: ast.AST, errors: bool) -> Iterator[ast.expr]:
    """Expressions that become a note, a warning, a reason, or what an error found."""
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[target], value=value) | ast.AugAssign(target=target, value=value):
                if _NAMES.match(_name(target)):
                    yield value
            case ast.Call(func=ast.Attribute(attr="append", value=ast.Name("notes")), args=[value]):
                yield value
            case ast.Call(func=ast.Attribute(attr="reject"), args=[_, value]):
                yield value
            case ast.keyword(arg="warning" | "notes", value=value):
                yield value
            case ast.FunctionDef(name=name):
                yield from _of_function(node, returned=bool(_FUNCTIONS.match(name)), errors=errors and name != "__init__")


def _of_function(function: ast.FunctionDef, returned: bool, errors: bool) -> Iterator[ast.expr]:
    for node in ast.walk(function):
        match node:
            case ast.Return(value=ast.Tuple(elts=[problem, _])) if function.name.endswith("problem"):
                yield problem  # the second is what was expected, which only errors say
            case ast.Assign(targets=[ast.Name("expected")]):
                pass
            case ast.Return(value=ast.expr() as value) | ast.Assign(value=value) if returned:
                yield value
            case ast.Call(func=ast.Name("InputError" | "RunError"), args=[value]) if errors:
                yield value


def _name(target: ast.expr) -> str:
    return target.id if isinstance(target, ast.Name) else target.attr if isinstance(target, ast.Attribute) else ""


def _texts(node: ast.expr) -> Iterator[str]:
    """The sentences of an expression: texts of at least two words, each f-string and each sum as a whole."""
    if _is_text(node):
        text = _said(node).rstrip()
        if _SENTENCE.search(text) and not text.startswith(" "):  # a part of a sentence that is put together elsewhere
            yield f"{text} 7" if text.endswith(":") else text
        return
    children = ast.iter_child_nodes(node)
    if isinstance(node, ast.Call):  # "...".rstrip() says something; what a function returns is looked at where it is made
        children = iter([node.func.value] if isinstance(node.func, ast.Attribute) else [])
    for child in children:
        if isinstance(child, ast.expr):
            yield from _texts(child)


def _is_text(node: ast.expr) -> bool:
    match node:
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _is_text(left) or _is_text(right)
        case _:
            return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _said(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(_said(part) for part in parts)
        case ast.FormattedValue(value=ast.IfExp(orelse=ast.Constant(value=str(text)))):
            return text
        case ast.FormattedValue(conversion=conversion):
            return "'7'" if conversion == ord("r") else "7"
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _said(left) + _said(right)
        case _:
            return "7"
