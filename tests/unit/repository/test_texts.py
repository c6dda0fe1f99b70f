"""What the code says to people, read from its strings."""

import ast
import re

from tests.texts import find_texts, read_texts

DEPLOYED = ("adapters", "domain", "lambdas", "monitoring_job", "tabular", "training_job")
"""Code that runs in a stage: the command line of its operator is a setting there."""


COUNTED = (
    "alarms|batches|buckets|bytes|categories|characters|columns|copies|days|entries|errors|"
    "events|executions|experiments|features|fields|files|folders|functions|groups|hours|"
    "images|instances|labels|lines|members|messages|metrics|minutes|models|notifications|"
    "objects|packages|pages|partitions|people|positives|predictions|problems|processes|ranges|"
    "reasons|records|requests|resources|rows|rules|runs|segments|stacks|steps|streams|"
    "subjects|tasks|traces|trainings|trees|trials|users|values|versions|workers|zones"
)
"""What the texts count."""
_COUNT = re.compile(
    r"\{(?P<number>(?!agree\()[^{}]*)\} "
    r"(?:(?!(?:all|does|has|holds|in|lies|of|on|that|the|with)\b)[a-z]+ ){0,2}"
    rf"(?:{COUNTED})\b"
)
_CONSTANT = re.compile(r"([a-z_]+\.)*[A-Z_]+( // \d+| / \d+)?")
NEVER_ONE = {
    **dict.fromkeys(
        (
            "'fresh' if recent.fresh else 'of the newest'",
            "####",
            "command",
            "key",
            "name",
            "self.uri",
        ),
        "no number",
    ),
    **dict.fromkeys(
        ("self.maximum_length", "longest", "maximum", "hours", "regular"), "a constant above 1"
    ),
    **dict.fromkeys(
        ("required.cost_of_a_miss", "required_errors(earlier)", "speed"), "no whole number"
    ),
    **dict.fromkeys(
        (
            "able",  # more than those that are drawn
            "days",  # more than the Free plan allows
            "inputs",
            "len(features)",
            "len(found)",  # segments that all drifted; people in more than an erasure takes
            "len(packed)",
            "len(self.categories)",
            "len(categories)",
            "len(waiting)",
            "situation.unhelpful",
            "size",
        ),
        "said only where it is more than 1",
    ),
    **dict.fromkeys(
        (
            "all_of_them",  # labels that are called selective
            "at_once",  # functions that an account runs
            "count",  # labels that somebody wants
            "enough",  # rows of a category that is kept
            "len(names)",  # streams and alarms of a stage
            "len(stage.resources)",
            "len(statuses)",  # stacks of a stage
            "rows",  # of a file that a contract is drafted from
        ),
        "always more than 1",
    ),
}
"""Why an expression in front of a plural is never 1, or is no number."""


def test_texts_are_found_without_docstrings() -> None:
    code = '"""Docs."""\nX = "a"\ndef f():\n    """More."""\n    return f"b {X:,} c" + "d"\n'
    assert {(2, "a"), (5, "b {X} c"), (5, "d")} == set(find_texts(ast.parse(code)))


def test_what_is_deployed_names_no_command_without_its_stage() -> None:
    commands = [found for found in read_texts(*DEPLOYED) if re.search(r"\bops [a-z]", found.text)]
    assert [] == commands


def test_a_number_that_may_be_one_is_followed_by_the_word_that_fits() -> None:
    found = {
        match["number"]: text
        for text in read_texts(*DEPLOYED, "circle", "ops", "stacks")
        for match in _COUNT.finditer(text.text)
        if not _CONSTANT.fullmatch(match["number"])
    }
    assert {} == {number: text for number, text in found.items() if number not in NEVER_ONE}
    assert [] == [text for text in read_texts(*DEPLOYED, "circle", "ops") if "(s)" in text.text]
