"""Commands inside sentences, written so that they work when they are pasted into a shell."""

import re
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from ops.laptop import FOLDER_VARIABLE, ROOT

PROGRAM = "python -m ops"
"""How the code writes the operator's command line in hints."""

_OURS = re.compile(rf"{re.escape(PROGRAM)}(?P<options> --)?\b(?!\.\w)")


def spell_out(text: str, *, options: Sequence[str], environ: Mapping[str, str]) -> str:
    """Replace `PROGRAM` by what starts this command line in the user's shell.

    `options` are the global ones of this call, e.g. ``--stage dev``. A command that begins with an
    option of its own keeps what it says.
    """
    program = _program(environ)
    with_options = " ".join([program, *map(shlex.quote, options)])
    return _OURS.sub(lambda found: program + " --" if found["options"] else with_options, text)


def name_folder(folder: Path, environ: Mapping[str, str]) -> list[str]:
    """The option that names this machine's folder, where the user's shell needs it."""
    named = environ.get(FOLDER_VARIABLE)
    default = Path(named).resolve() if named else ROOT / ".local"
    return [] if folder == default else ["--local", str(folder)]


def name_call(folder: Path) -> str:
    """How anybody calls the command line for this machine's folder, from wherever they are."""
    return " ".join([_quote_program(Path("/")), *map(shlex.quote, name_folder(folder, {}))])


def _program(environ: Mapping[str, str]) -> str:
    """``ops`` where the user's PATH has it, else its path."""
    # make puts the environment's programs on PATH, which the user's shell does not have.
    path = "" if "MAKELEVEL" in environ else environ.get("PATH", "")
    if path and shutil.which("ops", path=path) == str(_find_program()):
        return "ops"
    return _quote_program(Path.cwd())


def _find_program() -> Path:
    return Path(sys.executable).with_name("ops")


def _quote_program(working: Path) -> str:
    """The program's path, relative to a folder that holds it; the interpreter's without `setup`."""
    program = _find_program()
    found = program if program.exists() else Path(sys.executable)
    if working != Path("/") and found.is_relative_to(working):
        found = found.relative_to(working)
    quoted = shlex.quote(str(found))
    return quoted if program.exists() else f"{quoted} -m ops"
