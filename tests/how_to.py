"""The pages of docs/how-to as a reader uses them: steps, commands to paste, and what they print.

A block ``sh`` is pasted. After it, a block ``text`` quotes lines that the commands print, in their
order; ``...`` stands for anything within a line, and spaces count as one. ``sh account`` needs an
account or a service of somebody else, and ``sh by-hand`` changes the installation itself: no test
pastes these two.
"""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.repository import ROOT

FOLDER = ROOT / "docs" / "how-to"
INDEX = FOLDER / "README.md"
KINDS = ("sh", "sh account", "sh by-hand", "text")
_STEP = re.compile(r"^(\d)\. ", re.MULTILINE)
_BLOCK = re.compile(r"^   ```(?P<kind>[^\n]*)\n(?P<text>.*?)^   ```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Commands:
    """One block of a step. `quoted`: the lines that it prints, as the page says."""

    step: int
    kind: str
    text: str
    quoted: tuple[str, ...] = ()

    @property
    def pasted(self) -> bool:
        """Whether a test may paste it."""
        return self.kind == "sh"


@dataclass(frozen=True, slots=True)
class Page:
    """One page. `steps`: their numbers as written."""

    name: str
    title: str
    steps: tuple[int, ...]
    commands: tuple[Commands, ...]


def read_pages() -> list[Page]:
    """All pages but the index."""
    return [read_page(path) for path in sorted(FOLDER.glob("*.md")) if path != INDEX]


def read_page(path: Path) -> Page:
    """One page; raises ValueError for a block of no known kind, or a quote without commands."""
    content = path.read_text()
    starts = [*_STEP.finditer(content)]
    ends = [found.start() for found in starts[1:]] + [len(content)]
    commands: list[Commands] = []
    for start, end in zip(starts, ends, strict=True):
        for block in _BLOCK.finditer(content, start.start(), end):
            kind, text = block["kind"], re.sub("^   ", "", block["text"], flags=re.MULTILINE)
            if kind not in KINDS:
                raise ValueError(f"{path.name}: a block of the kind {kind!r}")
            if kind != "text":
                commands.append(Commands(int(start[1]), kind, text))
                continue
            before = commands.pop()
            quoted = (*before.quoted, *text.splitlines())
            commands.append(Commands(before.step, before.kind, before.text, quoted))
    title = content.partition("\n")[0].removeprefix("# ")
    return Page(path.name, title, tuple(int(s[1]) for s in starts), tuple(commands))


def find_missing(quoted: tuple[str, ...], printed: str) -> list[str]:
    """The quoted lines that `printed` does not have in this order."""
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    missing, at = [], 0
    for quote in quoted:
        parts = (re.escape(" ".join(part.split())) for part in quote.split("..."))
        pattern = re.compile(".*".join(parts))
        found = next((n for n in range(at, len(lines)) if pattern.search(lines[n])), None)
        if found is None:
            missing.append(quote)
        else:
            at = found
    return missing


def paste(
    page: Page, folder: Path, environment: Mapping[str, str], *, typed: str = "", seconds: float
) -> None:
    """Paste a page's commands into one shell, in that folder; raises AssertionError.

    `typed`: what is typed when a command asks.
    """
    pasted = [commands for commands in page.commands if commands.pasted]
    outputs = [folder / f"{page.name}-{number}.out" for number in range(len(pasted))]
    blocks = [
        f"{{\n{commands.text}}} >{output} 2>&1"
        for commands, output in zip(pasted, outputs, strict=True)
    ]
    script = "\n".join(["set -euo pipefail", *blocks])
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=dict(environment),
        input=typed,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    reached = [output for output in outputs if output.exists()]
    for commands, output in zip(pasted, reached, strict=False):
        place, printed = f"{page.name}, step {commands.step}", output.read_text()
        failed = done.returncode != 0 and output == reached[-1]
        assert not failed, f"{place} ended with {done.returncode}: {printed}{done.stderr}"
        assert [] == find_missing(commands.quoted, printed), f"{place} printed: {printed}"
    assert len(outputs) == len(reached), done.stderr
