"""One call of the command line: its target, and what becomes of anything that a command raises."""

import os
import sys
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from domain.deployment import DEFAULT_NAME
from ops.console import Answer, write_answer, write_line
from ops.errors import OpsError
from ops.hints import name_folder, spell_out
from ops.laptop import Laptop
from ops.region import follow_cdk

if TYPE_CHECKING:
    from ops.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """The global options and the environment."""

    stage: str | None
    name: str | None
    folder: Path
    environ: MutableMapping[str, str]

    def execute(
        self,
        command: str,
        run: Callable[..., Answer],
        options: Mapping[str, Any],
        *,
        as_json: bool,
    ) -> int:
        """Run a command and print its answer and hint; returns the exit status."""
        user_environ = dict(self.environ)
        try:
            answer = self._with_commands(run(self.find_target(), **options), user_environ)
            _print(answer, as_json=as_json)
        except (Exception, KeyboardInterrupt) as error:
            from ops.explain import explain

            explained = explain(error, command=command, stage=self.stage, folder=self.folder)
            write_line(self._spell_out(explained.problem, user_environ))
            write_line(f"Next: {self._spell_out(explained.next_step, user_environ)}")
            return explained.status
        if answer.next_step and not as_json:  # a program reads JSON, and takes no hint
            write_line(f"Next: {self._spell_out(answer.next_step, user_environ)}")
        return answer.status

    def find_target(self) -> "Target":
        """The place to work on; for this machine boto3 is pointed at the emulator.

        Raises OpsError for a folder that can't be one.
        """
        from ops.target import Target

        _require_folder(self.folder)
        if self.stage is not None:
            self.environ.update(follow_cdk(self.environ))
            return Target(self.stage, None, self.folder, self.name or DEFAULT_NAME)
        laptop = Laptop.load(self.folder)
        if self.name is not None:
            laptop = laptop.named(self.name)
        for name in [name for name in self.environ if name.startswith("AWS_")]:
            del self.environ[name]
        self.environ.update(laptop.env(self.environ))
        return Target.on_laptop(laptop)

    def _with_commands(self, answer: Answer, environ: Mapping[str, str]) -> Answer:
        """The answer with sentences whose commands work when they are pasted."""
        parts = answer.shown
        shown = [self._spell_out(p, environ) if isinstance(p, str) else p for p in parts]
        return replace(answer, shown=shown)

    def _spell_out(self, text: str, environ: Mapping[str, str]) -> str:
        options = [] if self.name is None else ["--name", self.name]
        options += [] if self.stage is None else ["--stage", self.stage]
        options += name_folder(self.folder, environ)
        return spell_out(text, options=options, environ=environ)


def _require_folder(folder: Path) -> None:
    """Raise OpsError where a file has the name of the folder, or of one that would hold it."""
    found = next((place for place in (folder, *folder.parents) if place.exists()), folder)
    if found.exists() and not found.is_dir():
        raise OpsError(f"{found} is a file, not a folder.", "Name a folder with --local.")


def _print(answer: Answer, *, as_json: bool) -> None:
    """Print the answer; a reader that stops reading early, such as `head`, is no failure."""
    try:
        write_answer(answer, as_json=as_json)
    except BrokenPipeError:
        # Python would complain when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
