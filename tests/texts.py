"""The texts that the code can show: its strings, without the docstrings."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tests.repository import ROOT


@dataclass(frozen=True, slots=True)
class Text:
    """A string of the code; what an f-string puts in is ``{expression}``."""

    place: str
    text: str


def read_texts(*packages: str) -> Iterator[Text]:
    """Yield the texts of these folders of the checkout."""
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            tree = ast.parse(path.read_text())
            name = path.relative_to(ROOT)
            yield from (Text(f"{name}:{line}", text) for line, text in find_texts(tree))


def find_texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield line and text of each string that is no docstring."""
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            skipped.add(node.value)
        elif isinstance(node, ast.FormattedValue) and node.format_spec:
            skipped.update(ast.walk(node.format_spec))
        elif isinstance(node, ast.JoinedStr) and node not in skipped:
            skipped.update(node.values)
            yield node.lineno, "".join(map(_write, node.values))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in skipped:
            yield node.lineno, node.value


def _write(part: ast.expr) -> str:
    if isinstance(part, ast.FormattedValue):
        return f"{{{ast.unparse(part.value)}}}"
    return str(part.value) if isinstance(part, ast.Constant) else ""
