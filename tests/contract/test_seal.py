"""The seal is opened in one place: no module outside ``acclimate.evaluate`` calls ``unseal`` or reaches behind it."""

import ast
from pathlib import Path

import pytest

import acclimate

PACKAGE = Path(acclimate.__file__).parent
DEFINED_IN = PACKAGE / "data" / "target.py"
FORBIDDEN = ("unseal", "_sealed")


def openings(code: str) -> list[int]:
    """The lines that name the seal's opening as an attribute, or as a string handed to getattr and its kin."""
    lines = []
    for node in ast.walk(ast.parse(code)):
        is_attribute = isinstance(node, ast.Attribute) and node.attr in FORBIDDEN
        is_string = isinstance(node, ast.Constant) and node.value in FORBIDDEN
        if is_attribute or is_string:
            lines.append(node.lineno)
    return lines


def test_only_evaluate_opens_a_seal():
    modules = sorted(PACKAGE.rglob("*.py"))
    found = {path: openings(path.read_text(encoding="utf-8")) for path in modules}
    outside = {
        str(path.relative_to(PACKAGE)): lines
        for path, lines in found.items()
        if lines and path != DEFINED_IN and path.relative_to(PACKAGE).parts[0] != "evaluate"
    }
    assert outside == {}
    assert found[PACKAGE / "evaluate" / "measure.py"], "the walk must find the one opening there is"


@pytest.mark.parametrize(
    "code",
    [
        "target.test.unseal(ledger, reader='x')",
        "open_it = part.unseal",
        "getattr(part, 'unseal')(ledger, 'x')",
        "part._sealed.labels",
    ],
)
def test_the_walk_sees_every_way_to_open(code):
    assert openings(code) == [1]
