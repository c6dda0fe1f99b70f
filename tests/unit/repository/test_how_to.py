"""The pages of docs/how-to are short, listed once, and their commands exist with their options."""

import json
import re
import shlex
import subprocess

import botocore.session
import pytest
from botocore import xform_name

from ops.cli import COMMANDS, build, load
from tests.how_to import FOLDER, INDEX, Commands, Page, find_missing, read_page, read_pages
from tests.repository import ROOT

STEPS = 5
PAGES = read_pages()
BLOCKS = [
    pytest.param(block, id=f"{page.name}-{block.step}-{n}")
    for page in PAGES
    for n, block in enumerate(page.commands)
]
_ROW = re.compile(r"^\| \[(?P<title>[^\]]+)\]\((?P<file>[\w-]+\.md)\) \| (?P<says>.+) \|$", re.M)
_HERE_DOCUMENT = re.compile(r"<<'EOF'(.*)\n(?:.*\n)*?EOF$", re.MULTILINE)
_COMMENT = re.compile(r"\s# .*$", re.MULTILINE)
_ENDS = re.compile(r"[;|&()<>]+")
_BEFORE = re.compile(r"[;|&(]+|until|do|\w+=\w*")
GLOBAL = ("--stage", "--name", "--local")
OUTPUT = {"--query", "--output"}
"""Options of the AWS command line that every operation has."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_has_at_most_five_steps_and_commands(page: Page) -> None:
    assert list(range(1, len(page.steps) + 1)) == list(page.steps)
    assert 1 <= len(page.steps) <= STEPS
    assert page.commands


def test_the_index_has_each_page_by_its_title_with_one_sentence() -> None:
    rows = [match.groupdict() for match in _ROW.finditer(INDEX.read_text())]
    assert {page.name: page.title for page in PAGES} == {row["file"]: row["title"] for row in rows}
    assert len(rows) == len(PAGES) == 15
    assert [] == [row["says"] for row in rows if not re.fullmatch(r"[^.]+\.", row["says"])]


def test_the_readme_leads_to_the_index() -> None:
    assert "](docs/how-to/README.md)" in (ROOT / "README.md").read_text()


@pytest.mark.parametrize("block", BLOCKS)
def test_a_shell_can_read_the_commands(block: Commands) -> None:
    done = subprocess.run(
        ["bash", "-n"], input=block.text, capture_output=True, text=True, check=False
    )
    assert (0, "") == (done.returncode, done.stderr)


@pytest.mark.parametrize("block", BLOCKS)
def test_every_command_takes_its_options(block: Commands) -> None:
    for words in _list_commands(block.text, "ops"):
        _check_ops(words)
    for words in _list_commands(block.text, "aws"):
        _check_aws(words)


def _list_commands(text: str, program: str) -> list[list[str]]:
    """The words after each call of the program, up to what ends it."""
    plain = _HERE_DOCUMENT.sub("", text.replace("\\\n", " "))
    line = _COMMENT.sub("", plain).replace("\n", " ; ")
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    found: list[list[str]] = []
    before, collecting = ";", False
    for word in lexer:
        if _ENDS.fullmatch(word):
            collecting = False
        elif collecting:
            found[-1].append(word)
        elif word == program and _BEFORE.fullmatch(before):
            found.append([])
            collecting = True
        before = word
    return found


def _check_ops(words: list[str]) -> None:
    while words[0] in GLOBAL:
        words = words[2:]
    name = " ".join(words[:2]) if " ".join(words[:2]) in COMMANDS else words[0]
    assert name in COMMANDS
    arguments = words[len(name.split()) :]
    build()  # the whole command line can be made
    load(name).make_context(name, arguments)  # it parses them, and runs nothing


def _check_aws(words: list[str]) -> None:
    """AWS's own description of its services has the operation, and a member for each option."""
    service, operation, *options = words
    model = botocore.session.get_session().get_service_model(service)
    operations = {xform_name(name, "-"): name for name in model.operation_names}
    assert operation in operations
    shape = model.operation_model(operations[operation]).input_shape
    members = {f"--{xform_name(name, '-')}" for name in (shape.members if shape else ())}
    assert set() == {word for word in options if word.startswith("--")} - members - OUTPUT


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ops mail\n", [["mail"]]),
        ("A=$(ops open --json | python -c 'ops')\n", [["open", "--json"]]),
        ("until ops status | grep ops; do sleep 5; done\n", [["status"]]),
        ("cat >x <<'EOF'\nops no\nEOF\nX=1 ops up --name \\\n  a\n", [["up", "--name", "a"]]),
        ("ops drift  # ops mail\n", [["drift"]]),
    ],
)
def test_commands_are_found_where_a_shell_finds_them(text: str, words: list[list[str]]) -> None:
    assert words == _list_commands(text, "ops")


@pytest.mark.parametrize(
    ("quoted", "missing"),
    [
        (("champion 1-",), []),
        (("champion ... threshold", "mean"), []),
        (("mean", "champion"), ["champion"]),
        (("threshold ... champion",), ["threshold ... champion"]),
    ],
)
def test_a_quote_is_found_in_its_order_whatever_the_spaces(
    quoted: tuple[str, ...], missing: list[str]
) -> None:
    assert missing == find_missing(quoted, "champion   1-0a threshold\n  mean\n")


def test_what_is_not_pasted_quotes_nothing_that_no_test_reads() -> None:
    blocks = [block for page in PAGES for block in page.commands if not block.pasted]
    assert ["make demo\n"] == [block.text for block in blocks if block.quoted]


def test_an_option_that_no_command_has_is_found() -> None:
    with pytest.raises(Exception, match="No such option: --dai"):
        _check_ops(["drift", "--dai", "2026-01-31"])


def test_the_policy_of_the_deploying_role_is_json() -> None:
    text = "".join(block.text for block in read_page(FOLDER / "ci.md").commands)
    (policy,) = re.findall(r"'(\{.*\})'", text)
    assert "sts:AssumeRole" == json.loads(policy)["Statement"][0]["Action"]
