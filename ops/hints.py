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

_OURS = re.compile(rf"{re.escape(PROGRAM)}(?P<options> --)?\b")


def spell_out(text: str, *, options: Sequence[str], environ: Mapping[str, str]) -> str:
    """Replace ``python -m ops`` by what starts this command line in the user's shell.

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


def _program(environ: Mapping[str, str]) -> str:
    """``ops`` or ``python -m ops`` where the user's PATH has it, else the interpreter's path."""
    here = Path(sys.executable)
    # make puts the environment's programs on PATH, which the user's shell does not have.
    path = "" if "MAKELEVEL" in environ else environ.get("PATH", "")
    if Path(sys.argv[0]).name == "ops" and shutil.which("ops", path=path):
        return "ops"
    if path and shutil.which("python", path=path) == str(here):
        return PROGRAM
    working = Path.cwd()
    python = here.relative_to(working) if here.is_relative_to(working) else here
    return f"{shlex.quote(str(python))} -m ops"
