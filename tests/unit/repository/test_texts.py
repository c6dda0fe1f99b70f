"""What the code says to people, read from its strings."""

import ast
import re

from tests.texts import find_texts, read_texts

DEPLOYED = ("adapters", "domain", "lambdas", "monitoring_job", "tabular", "training_job")
"""What runs in a stage, and so has to be told how the operator's command line is called there."""


def test_texts_are_found_without_docstrings() -> None:
    code = '"""Docs."""\nX = "a"\ndef f():\n    """More."""\n    return f"b {X:,} c" + "d"\n'
    assert {(2, "a"), (5, "b {X} c"), (5, "d")} == set(find_texts(ast.parse(code)))


def test_what_is_deployed_names_no_command_without_its_stage() -> None:
    commands = [found for found in read_texts(*DEPLOYED) if re.search(r"\bops [a-z]", found.text)]
    assert [] == commands
