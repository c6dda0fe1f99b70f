"""`upload`: training data into the data bucket."""

import argparse
from pathlib import Path

from domain import keys
from ops.console import Progress
from ops.errors import OpsError
from ops.target import Target


def arguments(parser: argparse.ArgumentParser) -> None:
    """Files, and `--replace`."""
    parser.add_argument("files", type=Path, nargs="+", help="CSV, CSV.gz or Parquet")
    parser.add_argument("--replace", action="store_true", help="remove what is in raw/ first")


def run(args: argparse.Namespace, target: Target) -> str:
    """The command."""
    upload(target, args.files, replace=args.replace)
    return target.command("train")


def upload(target: Target, files: list[Path], *, replace: bool) -> None:
    """Put files under raw/, each by its own name; raises OpsError and then changes nothing."""
    check(files)
    bucket = target.bucket("data")
    names = {keys.RAW + file.name for file in files}
    with Progress("upload", total=len(files), unit=" files") as progress:
        for file in files:
            progress.note(file.name)
            bucket.upload(file, keys.RAW + file.name)
            progress.advance()
    others = [entry.key for entry in bucket.list(keys.RAW) if entry.key not in names]
    if replace:
        # After the upload: an interrupted one leaves the old data, never none.
        for key in others:
            bucket.delete(key)
    print(f"{len(files)} file(s) are in {bucket.uri(keys.RAW)}.")
    if others and not replace:
        print(f"{len(others)} earlier file(s) there are trained on too; --replace removes them.")


def check(files: list[Path]) -> None:
    """Name every file that can't be uploaded at once; raises OpsError."""
    problems = [f"{file} is not there" for file in files if not file.is_file()]
    problems += [
        f"{f} is none of {', '.join(keys.FORMATS)}" for f in files if not keys.is_table(f.name)
    ]
    problems += [f"{f} is empty" for f in files if f.is_file() and not f.stat().st_size]
    names = [file.name for file in files]
    problems += [f"{n} is named twice" for n in sorted(set(names)) if names.count(n) > 1]
    if problems:
        raise OpsError("Nothing was uploaded: " + "; ".join(problems) + ".", "Name other files.")
