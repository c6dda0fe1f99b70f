"""Reading the contract's tables and keys about files; every problem is noted."""

import codecs
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from domain.contract.context import Context
from domain.contract.feature import Feature
from domain.contract.file_format import (
    DECIMALS,
    SEPARATORS,
    ColumnFormat,
    FileFormat,
    TrainingColumns,
    fold_case,
    is_separator,
)
from domain.contract.file_values import CodedText, parse_number
from domain.typed_json import Json

FILE_KEYS = frozenset({"separator", "decimal", "encoding", "partition_columns"})
COLUMN_KEYS = frozenset({"source", "missing"})
WEIGHT_KEY = "weight"
FLAG_KEYS = COLUMN_KEYS | {"true", "false"}


def read_column_format(where: str, entry: Mapping[str, Any], problems: list[str]) -> ColumnFormat:
    """The keys of one feature or of the target that say how files write it."""
    source = entry.get("source", "")
    if not isinstance(source, str) or ("source" in entry and not source.strip()):
        problems.append(f"{where}: source must be the name of the column in files")
        source = ""
    words = {key: _words(where, key, entry, problems) for key in ("missing", "true", "false")}
    found = ColumnFormat(source=source.strip(), **words)
    problems += _clashing_words(where, found)
    return found


def read_file_format(
    document: Mapping[str, Any], names: Sequence[str], problems: list[str]
) -> FileFormat:
    """The table ``[files]``; `names`: of the features and the target."""
    entry = document.get("files", {})
    if not isinstance(entry, Mapping):
        problems.append("files must be written as a [files] table")
        return FileFormat()
    problems += [f"[files]: unknown key {key}" for key in sorted(set(entry) - FILE_KEYS)]
    separator = entry.get("separator", "")
    if "separator" in entry and not is_separator(separator):
        usual = " ".join(map(repr, SEPARATORS))
        problems.append(
            f"[files]: separator must be one character that no number or word has, such as {usual}"
        )
        separator = ""
    decimal = entry.get("decimal", ".")
    if decimal not in DECIMALS:
        problems.append("[files]: decimal must be '.' or ','")
        decimal = "."
    if decimal == separator:
        problems.append("[files]: decimal and separator must differ")
    return FileFormat(
        separator=separator,
        decimal=decimal,
        encoding=_encoding(entry, problems),
        partition_columns=_partition_columns(entry, names, problems),
    )


def read_training_columns(document: Mapping[str, Any], problems: list[str]) -> TrainingColumns:
    """The table ``[split]``, and `weight` of ``[target]``."""
    split, target = document.get("split", {}), document.get("target", {})
    if not isinstance(split, Mapping):
        problems.append("split must be written as a [split] table")
        split = {}
    problems += [
        f"[split]: unknown key {key}; known is time" for key in sorted(set(split) - {"time"})
    ]
    if "split" in document and not split:
        problems.append("[split] needs time, the name of a column in files")
    return TrainingColumns(
        time=_column_name("[split]", "time", split, problems),
        weight=_column_name("[target]", WEIGHT_KEY, target, problems),
    )


def find_clashes(
    features: Sequence[Feature],
    target: str,
    form: ColumnFormat,
    context: Sequence[Context],
    training: TrainingColumns,
) -> list[str]:
    """Words that files and the API would understand differently, and names given twice."""
    problems = []
    labels = Feature(name=target, kind="flag", in_files=form)
    for feature in (*features, labels, *(entry.values for entry in context if entry.values)):
        missing = feature.in_files.missing
        if feature.kind != "number" and _find_values(feature, missing):
            kind = "category" if feature.kind == "category" else "value of the flag"
            problems.append(f"{feature.name or '[target]'}: a word of missing is a {kind} too")
        numbers = [number for number in map(parse_number, missing) if number is not None]
        if feature.kind == "number" and any(map(feature.accepts, numbers)):
            problems.append(
                f"{feature.name}: a number of missing would be a valid value; give the feature a"
                " minimum and a maximum that leave it out"
            )
    named = [f.in_files.source or f.name for f in features] + [form.source or target]
    named += [entry.in_files.source or entry.name for entry in context]
    repeated = sorted({name for name in named if name and named.count(name) > 1})
    problems += [f"{name}: two columns have this source" for name in repeated]
    taken = {*named, *(f.name for f in features), target, *(entry.name for entry in context)}
    for where, name in (("[split]: time", training.time), ("[target]: weight", training.weight)):
        if name and name in taken:
            problems.append(
                f"{where} names {name}, which is a column of its own in the contract; it needs"
                " another column, which no model sees"
            )
    if training.time and training.time == training.weight:
        problems.append(
            f"[split] and [target]: time and weight name the same column {training.time}"
        )
    return problems


def write_column_format(form: ColumnFormat) -> dict[str, Json]:
    """Plain data that `read_column_format` reads back."""
    written: dict[str, Json] = {"source": form.source} if form.source else {}
    for key, words in (("missing", form.missing), ("true", form.true), ("false", form.false)):
        if words:
            written[key] = list(words)
    return written


def write_file_format(form: FileFormat) -> dict[str, Json]:
    """Plain data that `read_file_format` reads back; nothing where all is as usual."""
    usual = FileFormat()
    written: dict[str, Json] = {
        key: getattr(form, key)
        for key in ("separator", "decimal", "encoding")
        if getattr(form, key) != getattr(usual, key)
    }
    if form.partition_columns:
        written["partition_columns"] = list(form.partition_columns)
    return written


def _column_name(where: str, key: str, entry: object, problems: list[str]) -> str:
    """The name of a column in files; empty where the entry has no such key, or a bad one."""
    if not isinstance(entry, Mapping) or key not in entry:
        return ""
    name = entry[key]
    if not isinstance(name, str) or not name.strip() or not name.isprintable():
        problems.append(f"{where}: {key} must be the name of a column in files")
        return ""
    return name.strip()


def _words(where: str, key: str, entry: Mapping[str, Any], problems: list[str]) -> tuple[str, ...]:
    """Texts, or numbers, which become the text that a file would have."""
    words = entry.get(key, [])
    good = isinstance(words, list) and all(
        isinstance(word, str | int | float) and not isinstance(word, bool) for word in words
    )
    if not good or (key in entry and not words):
        problems.append(f"{where}: {key} must be a list of texts or numbers")
        return ()
    return tuple(word.strip() if isinstance(word, str) else repr(word) for word in words)


def _find_values(feature: Feature, words: Sequence[str]) -> list[str]:
    """Those words that files would read as a category or as 0 or 1, were they not declared."""
    undeclared = replace(feature, in_files=replace(feature.in_files, missing=()))
    reader = CodedText(undeclared)
    codes = range(len(feature.listed) if feature.kind == "category" else 2)
    return [word for word in words if reader.code(word) in codes]


def _clashing_words(where: str, form: ColumnFormat) -> list[str]:
    problems = []
    if bool(form.true) != bool(form.false):
        problems.append(f"{where}: true and false are declared together")
    swapped = ("false" in map(fold_case, form.true), "true" in map(fold_case, form.false))
    if any(swapped) and not all(swapped):
        problems.append(f"{where}: the words true and false would both mean the same")
    seen: dict[str | float, str] = {}
    for key, words in (("true", form.true), ("false", form.false), ("missing", form.missing)):
        for word in words:
            number = parse_number(word)
            before = seen.setdefault(fold_case(word) if number is None else number, key)
            if before != key:
                problems.append(f"{where}: {before} and {key} share a word")
    return problems


def _encoding(entry: Mapping[str, Any], problems: list[str]) -> str:
    encoding = entry.get("encoding", "")
    try:
        if "encoding" in entry:
            decoder = codecs.getincrementaldecoder(encoding)("surrogateescape")
            decoder.decode("a,b\r\n".encode(encoding) * 4, final=True)
    except (LookupError, TypeError, ValueError):
        problems.append(
            "[files]: encoding must be one that Python knows, such as utf-8, utf-16 or cp1252"
        )
        return ""
    return str(encoding)


def _partition_columns(
    entry: Mapping[str, Any], names: Sequence[str], problems: list[str]
) -> tuple[str, ...]:
    columns = entry.get("partition_columns", [])
    good = isinstance(columns, list) and all(isinstance(name, str) for name in columns)
    if not good or not set(columns) <= set(names):
        problems.append("[files]: partition_columns must list features, or the target, by name")
        return ()
    return tuple(columns)
