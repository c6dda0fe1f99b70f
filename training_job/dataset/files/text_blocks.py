"""Bytes of a text file as UTF-8 blocks, each of which ends where a row ends."""

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

BLOCK_BYTES = 8 * 1024 * 1024
LONGEST_ROW = 64 * 1024 * 1024
WIDE = 0.1
"""Share of zeros among every other byte from which text is taken for UTF-16."""
QUOTE, LINE_FEED, RETURN = b'"\n\r'
MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF32_LE: "utf-32-le",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32-be",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
"""Byte order marks and the encodings that they announce."""
MARK = "\ufeff".encode()

Positions = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Block:
    """Whole rows. `quotes`: positions of the quote characters, which are balanced if `regular`.

    `regular`: every quote opens a field, ends one, or is one of a doubled pair inside one, and none
    is left open at the end. `folded`: a line break lies between quotes. `lines`: how many there
    are, the last one included whether or not a line break ends it.
    """

    data: bytes
    quotes: Positions
    regular: bool
    folded: bool
    lines: int

    @classmethod
    def of(cls, data: bytes, quotes: Positions, separator: bytes) -> "Block":
        """Examine the quotes at these positions."""
        if not len(quotes):
            return cls(data, quotes, regular=True, folded=False, lines=_count_lines(data))
        ends = _find_line_ends(data)
        return cls(
            data,
            quotes,
            regular=_is_regular(data, quotes, separator),
            folded=_is_folded(data, ends),
            lines=len(ends) + (not data.endswith((b"\n", b"\r"))),
        )


def read_utf8(stream: BinaryIO, encoding: str) -> Iterator[bytes]:
    """Chunks of the stream in UTF-8, without a byte order mark.

    `encoding`: what the contract declares, or empty. A byte order mark wins over it; without either
    UTF-8 is taken, or UTF-16 where every other byte is zero. A byte that the encoding doesn't know
    stays in the chunk as it is, so that only its own row is invalid.
    """
    first = stream.read(BLOCK_BYTES)
    mark, encoding = find_encoding(first, encoding)
    first = first[len(mark) :]
    if codecs.lookup(encoding).name == "utf-8":
        yield first
        while chunk := stream.read(BLOCK_BYTES):
            yield chunk
        return
    wide = encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32"))
    errors = "replace" if wide else "surrogateescape"
    decoder = codecs.getincrementaldecoder(encoding)(errors)
    chunk = first
    while chunk:
        yield decoder.decode(chunk).encode(errors="surrogateescape")
        chunk = stream.read(BLOCK_BYTES)
    yield decoder.decode(b"", final=True).encode(errors="surrogateescape")


def find_encoding(first: bytes, declared: str) -> tuple[bytes, str]:
    """``(byte order mark, encoding)`` of a text by its first bytes, see `read_utf8`."""
    mark = next((mark for mark in MARKS if first.startswith(mark)), b"")
    if mark:
        return mark, MARKS[mark]
    name = codecs.lookup(declared).name if declared else ""
    if name == "utf-8-sig":  # it would write a mark
        return mark, "utf-8"
    if name in ("utf-16", "utf-32"):  # the order of the bytes isn't said
        guessed = _guess_wide(first)
        return mark, guessed if guessed.startswith(name) else f"{name}-le"
    return mark, declared or _guess_wide(first)


def read_blocks(chunks: Iterator[bytes], separator: bytes) -> Iterator[Block]:
    """The chunks cut anew so that each block ends with a row.

    What is longer than LONGEST_ROW without an end of a row is an irregular block.
    """
    rest = b""
    for chunk in chunks:
        data = rest + chunk
        quotes = _find_quotes(data)
        end = _last_row_end(data, quotes)
        if end:
            inside = quotes[: np.searchsorted(quotes, end)]
            yield Block.of(data[:end], inside, separator)
        rest = data[end:]
        if len(rest) > LONGEST_ROW:
            yield Block(rest, _find_quotes(rest), regular=False, folded=True, lines=0)
            rest = b""
    if rest:
        yield Block.of(rest, _find_quotes(rest), separator)


def count_rows(block: Block, expected: int) -> int:
    """Rows of a regular block: lines outside quotes that aren't empty.

    `expected`: the number that a caller believes. Without blank lines, and line breaks between
    quotes, it is quickly seen that it is right.
    """
    if not block.folded and block.lines == expected:
        return expected
    text = np.frombuffer(block.data, np.uint8)
    starts = find_line_starts(block)
    # A line that begins with the character of a line break is blank.
    return int((~np.isin(text[starts], (LINE_FEED, RETURN))).sum())


def find_line_starts(block: Block) -> Positions:
    """Where each line of a regular block begins that doesn't begin inside quotes."""
    ends = _find_line_ends(block.data)
    ends = ends[np.searchsorted(block.quotes, ends) % 2 == 0]
    starts = np.concatenate([[0], ends + 1]).astype(np.intp)
    return starts[starts < len(block.data)]


def find_inner_lines(block: Block, separator: bytes, fields: int) -> list[bytes]:
    """Lines inside quotes, but the first of each text, that have as many fields as the header."""
    if not block.folded:
        return []
    text = np.frombuffer(block.data, np.uint8)
    ends = _find_line_ends(block.data)
    before = np.searchsorted(block.quotes, ends)
    starts = ends[before % 2 == 1] + 1
    if not len(starts):
        return []
    stops = np.append(ends, len(text))[np.searchsorted(ends, starts)]
    closers = np.append(block.quotes, len(text))[np.searchsorted(block.quotes, starts)]
    stops = np.minimum(stops, closers)
    separators = np.flatnonzero(text == separator[0])
    counts = np.searchsorted(separators, stops) - np.searchsorted(separators, starts)
    wanted = counts == fields - 1
    return [
        block.data[start:stop]
        for start, stop in zip(starts[wanted].tolist(), stops[wanted].tolist(), strict=True)
    ]


def _count_lines(data: bytes) -> int:
    ends = data.count(b"\n")
    if b"\r" in data:
        ends += data.count(b"\r") - data.count(b"\r\n")
    return ends + (not data.endswith((b"\n", b"\r")))


def _find_line_ends(data: bytes) -> Positions:
    """Positions of the last character of each line break."""
    text = np.frombuffer(data, np.uint8)
    if b"\r" not in data or data.count(b"\r") == data.count(b"\r\n"):
        return np.flatnonzero(text == LINE_FEED)
    breaks = np.flatnonzero((text == LINE_FEED) | (text == RETURN))
    last = np.append(text[1:], 0)[breaks]
    ends: Positions = breaks[(text[breaks] == LINE_FEED) | (last != LINE_FEED)]
    return ends


def _guess_wide(head: bytes) -> str:
    """UTF-16 without a mark: every other byte of separators, digits and western letters is zero."""
    some = np.frombuffer(head[:4096], np.uint8)
    if len(some) >= 16:
        even, odd = (some[0::2] == 0).mean(), (some[1::2] == 0).mean()
        if odd > WIDE and even < odd / 10:
            return "utf-16-le"
        if even > WIDE and odd < even / 10:
            return "utf-16-be"
    return "utf-8"


def _find_quotes(data: bytes) -> Positions:
    if b'"' not in data:
        return np.empty(0, np.intp)
    return np.flatnonzero(np.frombuffer(data, np.uint8) == QUOTE)


def _last_row_end(data: bytes, quotes: Positions) -> int:
    """Where the last whole row ends, or 0; a line break inside quotes ends none."""
    limit = len(data)
    while True:
        found = max(data.rfind(b"\n", 0, limit), data.rfind(b"\r", 0, limit))
        if found < 0:
            return 0
        before = int(np.searchsorted(quotes, found))
        if before % 2:
            limit = int(quotes[before - 1])
        elif data[found] == RETURN and found == len(data) - 1:
            limit = found  # the other half of this line break may follow
        else:
            return found + 1


def _is_regular(data: bytes, quotes: Positions, separator: bytes) -> bool:
    if len(quotes) % 2:
        return False
    edges = np.zeros(256, bool)
    edges[[QUOTE, LINE_FEED, RETURN, separator[0]]] = True
    text = np.frombuffer(data, np.uint8)
    # Nothing lies before a quote at the start, nor after one at the end.
    openers = quotes[2 if quotes[0] == 0 else 0 :: 2]
    closers = quotes[1 : -1 if quotes[-1] == len(data) - 1 else None : 2]
    return bool(edges[text[openers - 1]].all() and edges[text[closers + 1]].all())


def _is_folded(data: bytes, ends: Positions) -> bool:
    """Whether any line holds an odd number of quotes, as one with an open text does."""
    starts = np.append(0, ends + 1)
    text = np.frombuffer(data, np.uint8)
    odd = np.bitwise_xor.reduceat((text == QUOTE).view(np.uint8), starts[starts < len(data)])
    return bool(odd.any())
