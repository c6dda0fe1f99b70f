"""What the documentation names exists: links, anchors, files, commands, make targets."""

import os
import re
import subprocess
from fnmatch import fnmatch
from functools import cache
from pathlib import Path

import pytest

from ops.cli import COMMANDS
from tests.repository import ROOT

PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / ".github").rglob("*.md")]
)
HISTORY = "CHANGELOG.md"
"""It may name what is gone, so only its links are checked."""

IGNORED = [line.rstrip("/") for line in (ROOT / ".gitignore").read_text().split()]
FOLDERS = sorted(
    path.name
    for path in ROOT.iterdir()
    if path.is_dir() and not any(fnmatch(path.name, pattern) for pattern in [*IGNORED, ".git"])
)
_FENCE = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
_CODE_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?)\s*$", re.MULTILINE)
_OPS = re.compile(r"(?:python -m ops|\bops)((?: --(?:stage|name|local) \S+)*) ([a-z][a-z-]+)")
_MAKE = re.compile(r"\bmake ([a-z][a-z0-9-]+)")
_PATH = re.compile(rf"(?:{'|'.join(map(re.escape, FOLDERS))})/[\w./-]*")


@pytest.fixture(params=PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def page(request: pytest.FixtureRequest) -> Path:
    """One page of the documentation."""
    found: Path = request.param
    return found


def test_the_pages_are_found() -> None:
    names = {page.name for page in PAGES}
    assert {"README.md", "CONTRIBUTING.md", "architecture.md", "glossary.md"} <= names


def test_every_relative_link_leads_to_a_file_and_every_anchor_to_a_heading(page: Path) -> None:
    broken = [link for link in _links(page) if not _resolves(page, link)]
    assert [] == broken


def test_every_command_of_the_cdk_that_is_unstable_opts_in(page: Path) -> None:
    commands = [c for c in _code(page) if re.search(r"\bcdk gc\b", c)]
    assert [] == [c for c in commands if not re.search(r"--unstable=gc aws://", c)]


def test_the_list_of_decisions_names_each_by_its_title() -> None:
    folder = ROOT / "docs" / "adr"
    titles = {
        path.name: path.read_text().splitlines()[0].removeprefix("# ")
        for path in sorted(folder.glob("[0-9]*.md"))
    }
    rows = re.findall(
        r"^\| (\d+) \| \[(.+)\]\((\S+)\) \| \w", (folder / "README.md").read_text(), re.MULTILINE
    )
    assert titles == {name: f"{number}. {title}" for number, title, name in rows}


def test_every_command_of_ops_exists(page: Path) -> None:
    commands = {name.split()[0] for name in COMMANDS}
    named = {match[2] for code in _code(page) for match in _OPS.finditer(code)}
    assert set() == named - commands


def test_every_make_target_exists(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z][a-z0-9-]*):", makefile, re.MULTILINE))
    named = {match[1] for code in _code(page) for match in _MAKE.finditer(code)}
    assert set() == named - targets


def test_every_file_of_the_repository_that_is_named_exists(page: Path) -> None:
    named = {path for code in _spans(page) if (path := _path(code)) is not None}
    assert [] == sorted(path for path in named if not (ROOT / path).exists())


@pytest.mark.parametrize(
    ("page", "link", "resolves"),
    [
        ("README.md", "docs/api.md", True),
        ("README.md", "docs/api.md#errors", True),
        ("docs/api.md", "../README.md", True),
        ("README.md", "docs/no-such-page.md", False),
        ("README.md", "docs/api.md#no-such-heading", False),
        ("docs/api.md", "README.md", False),
    ],
)
def test_a_link_that_leads_nowhere_is_found(page: str, link: str, resolves: bool) -> None:
    assert resolves == _resolves(ROOT / page, link)


@pytest.mark.parametrize(
    ("code", "path"),
    [
        ("domain/keys.py", "domain/keys.py"),
        ("ops/commands/", "ops/commands/"),
        ("domain/no_such.py", "domain/no_such.py"),
        ("lambdas/<room>/", None),
        ("web/*.js", None),
        ("serving/champion.json", None),
        ("domain ← adapters", None),
    ],
)
def test_a_path_of_the_repository_is_told_from_other_code(code: str, path: str | None) -> None:
    assert path == _path(code)


def _links(page: Path) -> list[str]:
    prose = _FENCE.sub("", page.read_text())
    return [link for link in _LINK.findall(prose) if not re.match(r"[a-z]+:", link)]


def _resolves(page: Path, link: str) -> bool:
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    return target.exists() and (not anchor or anchor in _anchors(target))


@cache
def _anchors(page: Path) -> frozenset[str]:
    """As GitHub makes them of headings."""
    prose = _FENCE.sub("", page.read_text())
    titles = (re.sub(r"[^\w\- ]", "", title.lower()) for title in _HEADING.findall(prose))
    return frozenset(title.replace(" ", "-") for title in titles)


def _spans(page: Path) -> list[str]:
    """Code within sentences."""
    if page.name == HISTORY:
        return []
    return _CODE_SPAN.findall(_FENCE.sub("", page.read_text()))


def _code(page: Path) -> list[str]:
    """Code within sentences and in blocks, where commands are."""
    if page.name == HISTORY:
        return []
    return [*_spans(page), *_FENCE.findall(page.read_text())]


def _path(code: str) -> str | None:
    """The file or folder of this repository that a code span names; None for anything else."""
    return code if _PATH.fullmatch(code) else None


def test_only_the_command_line_itself_says_how_python_starts_it() -> None:
    """What is deployed names the command line as the deployment calls it, e.g. with the stage."""
    parts = ("domain", "adapters", "tabular", "lambdas", "stacks", "training_job", "monitoring_job")
    named = [
        str(path.relative_to(ROOT))
        for part in parts
        for path in sorted((ROOT / part).rglob("*.py"))
        if "python -m ops " in path.read_text()
    ]
    assert [] == named


def test_what_the_page_about_aws_says_to_paste_first_works_in_a_folder_with_a_blank(
    tmp_path: Path,
) -> None:
    page = (ROOT / "docs" / "aws.md").read_text()
    pasted = page.split("```sh\n", 1)[1].split("```", 1)[0]
    program = tmp_path / "my checkout" / ".venv" / "bin" / "ops"
    program.parent.mkdir(parents=True)
    program.write_text('#!/bin/sh\necho "$@"\n')
    program.chmod(0o755)
    calls = "ops status\nops --stage prod status\ncommand ops up\n"
    script = f"shopt -s expand_aliases\n{pasted}\n{calls}"
    done = subprocess.run(
        ["bash"],
        input=script,
        cwd=tmp_path / "my checkout",
        env={"PATH": os.defpath},  # where no real `ops` is
        capture_output=True,
        text=True,
        check=True,
    )
    expected = ["--stage dev status", "--stage dev --stage prod status", "up"]
    assert expected == done.stdout.splitlines()
