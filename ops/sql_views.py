"""Put the views of `domain.contract.views` before a query that reads them.

The query is parsed, so that comments, EXPLAIN, recursion and the query's own common table
expressions keep their meaning: a name is a view only where the query doesn't define it itself. The
views get names of their own, so that a query may define a table expression with a view's name.
"""

import logging
import re
from collections.abc import Iterator

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from domain.contract.views import VIEWS

DIALECT = "athena"
PREFIX = "circle_"
"""What a view's name starts with inside the statement that is sent."""

_SPACE = r"(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)*"
_EXPLAIN = re.compile(
    rf"{_SPACE}explain\b{_SPACE}(?:analyze\b{_SPACE})?(?:verbose\b{_SPACE})?"
    rf"(?:\((?!{_SPACE}(?:select|with|\())[^)]*\))?",
    re.IGNORECASE | re.DOTALL,
)


def expand_views(sql: str) -> str:
    """The statement with every view that it reads; the name of a view alone is a whole query.

    A statement that can't be parsed, or is no query, stays as it is: Athena says what is wrong.
    Raises ValueError for an empty text and for several statements.
    """
    sql = sql.removeprefix("\ufeff")
    explain = _EXPLAIN.match(sql)
    begins = explain.end() if explain else 0
    head, query = sql[:begins], sql[begins:]
    try:
        statements = _parse(query)
    except SqlglotError:
        return sql
    if not statements:
        raise ValueError("The query is empty.")
    if len(statements) > 1:
        raise ValueError("The text holds several statements; write one.")
    if not head and _is_view_alone(statements[0]):
        query = f"SELECT * FROM {statements[0].name.lower()} ORDER BY 1"  # noqa: S608 - a view's name
        statements = _parse(query)
    renamed, read = _rename_views(query, statements[0])
    if not read:
        return sql
    return head + _insert(renamed, ",\n".join(_definitions(read)))


def _parse(text: str) -> list[exp.Expr]:
    logging.getLogger("sqlglot").setLevel(logging.ERROR)  # it warns of statements it passes through
    try:
        parsed = sqlglot.parse(text, dialect=DIALECT)
    except RecursionError:
        raise ValueError("The query is nested too deeply.") from None
    # A comment behind the last semicolon is none.
    return [s for s in parsed if s is not None and not isinstance(s, exp.Semicolon)]


def _is_view_alone(statement: exp.Expr) -> bool:
    is_name = isinstance(statement, exp.Column) and not statement.table
    return is_name and statement.name.lower() in VIEWS


def _rename_views(text: str, statement: exp.Expr) -> tuple[str, set[str]]:
    """``(the text with the views' own names, the views that it reads)``."""
    if not isinstance(statement, exp.Query):
        return text, set()
    tables = [table for table in statement.find_all(exp.Table) if _is_view(table)]
    for table in sorted(tables, key=lambda table: -int(table.this.meta["start"])):
        start, end = table.this.meta["start"], table.this.meta["end"] + 1
        alias = "" if table.alias else f" AS {text[start:end]}"
        text = f"{text[:start]}{PREFIX}{table.name.lower()}{alias}{text[end:]}"
    return text, {table.name.lower() for table in tables}


def _is_view(table: exp.Table) -> bool:
    """Whether the name means a view here, and no table expression of the query itself."""
    name = table.name.lower()
    return name in VIEWS and not table.db and name not in set(_visible_names(table))


def _visible_names(table: exp.Table) -> Iterator[str]:
    """Names of the common table expressions that this place of the query can read."""
    inside: exp.Expr = table
    while inside.parent is not None:
        outer = inside.parent
        with_ = outer.args.get("with_")
        if isinstance(with_, exp.With) and inside is not with_:
            yield from (cte.alias.lower() for cte in with_.expressions)
        if isinstance(outer, exp.With):
            for cte in outer.expressions:
                if cte is not inside:
                    yield cte.alias.lower()
                    continue
                if outer.recursive:
                    yield cte.alias.lower()
                break
        inside = outer


def _definitions(read: set[str]) -> list[str]:
    """The table expressions of these views and of those that they read, in order."""
    texts: dict[str, str] = {}
    wanted = set(read)
    for name in reversed(VIEWS):  # a view may read those before it
        if name in wanted:
            texts[name], more = _rename_views(VIEWS[name], _parse(VIEWS[name])[0])
            wanted |= more
    return [f"{PREFIX}{name} AS ({texts[name]})" for name in VIEWS if name in texts]


def _insert(query: str, definitions: str) -> str:
    """Put the definitions first in the query's own WITH, or before the query."""
    tokens = sqlglot.tokenize(query, read=DIALECT)
    if tokens[0].text.upper() != "WITH":
        start = tokens[0].start
        return f"{query[:start]}WITH {definitions}\n{query[start:]}"
    last = tokens[1] if tokens[1].text.upper() == "RECURSIVE" else tokens[0]
    return f"{query[: last.end + 1]} {definitions},{query[last.end + 1 :]}"
