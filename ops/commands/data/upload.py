"""`upload`: training data into the data bucket."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from domain import keys
from domain.plural import agree, write_count
from ops.console import Answer, Progress
from ops.errors import OpsError
from ops.target import Target

if TYPE_CHECKING:
    from adapters.s3 import Bucket, Listed


class IfExists(StrEnum):
    """What becomes of a file whose name is taken by a file with other content."""

    REFUSE = "refuse"
    RENAME = "rename"
    OVERWRITE = "overwrite"


@dataclass(frozen=True, slots=True)
class Upload:
    """A local file and its key in the data bucket."""

    path: Path
    key: str

    def digest(self) -> str:
        """SHA-256 of the content, as hexadecimal digits."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def renamed(self) -> "Upload":
        """The same file under a key that names its content, ``data-1a2b3c4d.csv``."""
        folder, _, name = self.key.rpartition("/")
        stem, dot, ending = name.partition(".")
        return Upload(self.path, f"{folder}/{stem}-{self.digest()[:8]}{dot}{ending}")


def run(
    target: Target,
    files: Annotated[
        list[Path], Argument(help="CSV, CSV.gz or Parquet files, or folders of them.")
    ],
    *,
    replace: Annotated[
        bool, Option("--replace", help="Remove everything else from raw/ afterwards.")
    ] = False,
    if_exists: Annotated[
        IfExists,
        Option(help="For a name that is taken by another content: rename keeps both files."),
    ] = IfExists.REFUSE,
) -> Answer:
    """Copy training data into the data bucket.

    A file keeps its name; files of a folder keep their path from that folder on.
    """
    return upload(target, files, replace=replace, if_exists=if_exists)


def upload(
    target: Target,
    files: Sequence[Path],
    *,
    replace: bool,
    if_exists: IfExists = IfExists.REFUSE,
) -> Answer:
    """Put files and folders under raw/.

    Raises OpsError and then removes nothing. It overwrites nothing either, except where somebody
    else changes one of the files meanwhile: then the error names what was overwritten.
    """
    chosen, ignored = plan(files, keys.RAW)
    bucket = target.bucket("data")
    present = {entry.key: entry for entry in bucket.list(keys.RAW)}
    wanted, unchanged, sentences = _settle_names(bucket, chosen, present, if_exists)
    overwritten: list[str] = []
    meanwhile: list[str] = []
    with Progress("upload", total=len(wanted), unit=" files") as progress:
        for one in wanted:
            progress.note(one.key.removeprefix(keys.RAW))
            seen = present.get(one.key)
            if bucket.upload_if(one.path, one.key, etag=seen.etag if seen else None):
                overwritten += [one.key] if seen else []
            elif not (bucket.exists(one.key) and _stores_same(bucket, one)):
                meanwhile.append(one.key)
            progress.advance()
    if meanwhile:
        lost = f"Somebody else changed {' and '.join(meanwhile)} meanwhile, and that stays."
        done = f" This call has overwritten {' and '.join(overwritten)}." if overwritten else ""
        raise OpsError(lost + done, "Run the command again: it says what is there now.")
    here = {one.key for one in (*wanted, *unchanged)}
    others = sorted(set(present) - here)
    if replace:
        # After the upload: an interrupted one leaves the old data, never none.
        for key in others:
            bucket.delete(key)
    sentences += [f"{one.key} was there already, with the same content." for one in unchanged]
    sentences += [f"Ignored: {path}." for path in ignored]
    stored = write_count(len(here), "file")
    sentences.append(f"{stored} {agree(len(here), 'is', 'are')} in {bucket.uri(keys.RAW)}.")
    if others and not replace:
        sentences.append(
            f"{write_count(len(others), 'earlier file')} there {agree(len(others), 'is', 'are')}"
            f" trained on too; --replace removes {agree(len(others), 'it', 'them')}."
        )
    return Answer(
        data={
            "uploaded": [one.key for one in wanted],
            "unchanged": [one.key for one in unchanged],
            "ignored": [str(path) for path in ignored],
            "others": [] if replace else others,
        },
        shown=sentences,
        next_step="python -m ops train",
    )


def plan(given: Sequence[Path], prefix: str) -> tuple[list[Upload], list[Path]]:
    """``(files with their keys, files that are ignored)``; raises OpsError naming every problem.

    In folders, what is no table is ignored, and so is each name that begins with ``.``, ``_`` or
    ``~$``: systems and tools leave such files behind. So are links to folders, pipes and sockets. A
    folder's own name is part of its files' keys.
    """
    chosen: list[Upload] = []
    ignored: list[Path] = []
    problems: list[str] = []
    for path in given:
        if not path.is_dir():
            chosen.append(Upload(path, prefix + path.name))
            continue
        found = sorted(f for f in path.rglob("*") if f.is_symlink() or not f.is_dir())
        place = f"{prefix}{path.resolve().name}/"
        for file in found:
            key = f"{place}{file.relative_to(path).as_posix()}"
            if file.is_file() and keys.is_data(key, place):
                chosen.append(Upload(file, key))
            else:
                ignored.append(file)
        if not any(one.path.is_relative_to(path) for one in chosen):
            problems.append(f"{path} holds no {', '.join(keys.FORMATS)} file")
    problems += list(_problems(chosen, prefix))
    if problems:
        raise OpsError("Nothing was uploaded: " + "; ".join(problems) + ".", "Name other files.")
    return chosen, ignored


def _problems(chosen: Sequence[Upload], prefix: str) -> Iterator[str]:
    for one in chosen:
        if not _is_text(one.key):
            yield f"{one.path!r} has bytes in its name that are no UTF-8: rename it"
        elif prefix and not keys.is_data(f"{one.key}{keys.FORMATS[0]}", prefix):
            yield f"{one.path} would be ignored: its name, or its folder's, begins with ., _ or ~$"
        if not one.path.exists():
            yield f"{one.path} is not there"
        elif not one.path.is_file():
            yield f"{one.path} is no file"
        elif not one.path.stat().st_size:
            yield f"{one.path} is empty"
        if not keys.is_table(one.path.name):
            yield f"{one.path} is none of {', '.join(keys.FORMATS)}"


def _is_text(name: str) -> bool:
    """Whether a name is text, and so can name an object."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _settle_names(
    bucket: "Bucket",
    chosen: Sequence[Upload],
    present: Mapping[str, "Listed"],
    if_exists: IfExists,
) -> tuple[list[Upload], list[Upload], list[str]]:
    """``(to upload, there already, sentences about other names)``; raises OpsError.

    `present`: the objects under raw/. A name is taken by an object, or by an
    earlier file of this call, with other content.
    """
    wanted: dict[str, Upload] = {}
    unchanged: dict[str, Upload] = {}
    sentences: list[str] = []
    taken: list[str] = []
    for one in chosen:
        earlier = wanted.get(one.key) or unchanged.get(one.key)
        if earlier is None and one.key not in present:
            wanted[one.key] = one
        elif _holds_same(bucket, one, earlier, present):
            if earlier is None:
                unchanged[one.key] = one
        elif if_exists is IfExists.RENAME:
            other = one.renamed()
            sentences.append(f"{one.path} is stored as {other.key}, since {one.key} is taken.")
            (unchanged if other.key in present else wanted)[other.key] = other
        elif if_exists is IfExists.OVERWRITE and earlier is None:
            sentences.append(f"{one.key} is overwritten.")
            wanted[one.key] = one
        else:
            taken.append(f"{one.path} would overwrite {earlier.path if earlier else one.key}")
    if taken:
        raise OpsError(
            "Nothing was uploaded: " + "; ".join(taken) + ".",
            "Add --if-exists rename to keep both, or --if-exists overwrite to replace the old one.",
        )
    return list(wanted.values()), list(unchanged.values()), sentences


def _holds_same(
    bucket: "Bucket", one: Upload, earlier: Upload | None, present: Mapping[str, "Listed"]
) -> bool:
    """Whether the holder of the name, an earlier file or an object, has the same content."""
    if earlier is not None:
        return earlier.digest() == one.digest()
    if one.path.stat().st_size != present[one.key].size:
        return False
    return _stores_same(bucket, one)


def _stores_same(bucket: "Bucket", one: Upload) -> bool:
    """Whether the object of that key has the file's content."""
    stream = bucket.client.get_object(Bucket=bucket.name, Key=one.key)["Body"]
    digest = hashlib.sha256()
    for block in stream.iter_chunks(1 << 20):
        digest.update(block)
    return digest.hexdigest() == one.digest()
