"""A drafted contract as TOML with a comment on every guess."""

import json
import textwrap
from collections.abc import Iterator, Sequence

from domain.typed_json import Json
from ops.drafting.draft import Draft
from ops.drafting.guess import Entry

WIDTH = 96


def write(draft: Draft, *, file: str, rows: int) -> str:
    """The text of ``contract.toml``. `file`: what it was drafted from, with so many `rows`."""
    lines = [
        *_comment(
            f"The data contract, drafted from {rows:,} rows of {file}. All of it is guessed: look"
            " at the ranges, the words and what is left out. The project's contract.toml explains"
            " all keys."
        ),
        "",
    ]
    if draft.files.keys:
        lines += [*_table("[files]", draft.files), ""]
    lines += [*_table("[target]", draft.target), ""]
    if draft.split.keys:
        lines += [*_table("[split]", draft.split), ""]
    for heading, entries in (
        ("[[features]]", draft.features),
        ("[[segments]]", draft.segments),
        ("[[context]]", draft.context),
    ):
        for entry in entries:
            lines += [*_table(heading, entry), ""]
    if draft.left_out:
        lines += ["# Left out:", "#"]
    for out in draft.left_out:
        lines += _comment(f"{out.source}: {out.reason}", "  ")
        if out.entry:
            lines += [f"#     {line}" for line in _table("[[features]]", out.entry)]
    return "\n".join(lines).rstrip() + "\n"


def _table(heading: str, entry: Entry) -> Iterator[str]:
    yield heading
    for key, value in entry.keys.items():
        remark = entry.remarks.get(key, "")
        written = f"{key} = {_value(value)}"
        if isinstance(value, list) and len(written) > WIDTH:
            yield from _comment(remark)
            yield f"{key} = ["
            yield from _wrap_items([_value(item) for item in value])
            yield "]"
        else:
            yield f"{written}  # {remark}" if remark else written


def _wrap_items(items: Sequence[str], indent: str = "    ") -> Iterator[str]:
    """The items of a list as lines, each broken between two items only."""
    line = ""
    for number, item in enumerate(items, start=1):
        part = item if number == len(items) else f"{item},"
        if line and len(indent) + len(line) + 1 + len(part) > WIDTH:
            yield indent + line
            line = ""
        line = f"{line} {part}" if line else part
    yield indent + line


def _comment(text: str, indent: str = "") -> list[str]:
    return (
        textwrap.wrap(text, WIDTH, initial_indent=f"# {indent}", subsequent_indent=f"# {indent}")
        if text
        else []
    )


def _value(value: Json) -> str:
    """TOML of a text, number, truth value or list; its basic strings are JSON's."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return json.dumps(value, ensure_ascii=False)
