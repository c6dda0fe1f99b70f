"""Long texts in environment variables, which have little room: compressed, and marked as such."""

import base64
import zlib

PLAIN = 1_000
"""Characters up to which a text stays as it is, for people who look at a deployment."""
_MARK = "zlib:"


def pack(text: str) -> str:
    """The text itself, or, where it is long, its compressed bytes in base64 behind a mark."""
    if len(text) < PLAIN and not text.startswith(_MARK):
        return text
    return _MARK + base64.b64encode(zlib.compress(text.encode(), 9)).decode()


def unpack(text: str) -> str:
    """The inverse of `pack`."""
    if not text.startswith(_MARK):
        return text
    return zlib.decompress(base64.b64decode(text.removeprefix(_MARK))).decode()
