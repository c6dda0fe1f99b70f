"""Make Evidently's page safe to open: its data can't become markup, and no other script can run.

The page is one file with everything inline. The data in it is escaped. A content security policy
allows only the scripts that are in the page now, by their hashes, and no connections. The policy is
a `<meta>` element, because S3 can't send it as a header. A `<meta>` can't say `sandbox`, so the
dashboard shows the page in a sandboxed frame.
"""

import base64
import hashlib
import re

DATA_LINE = "    var "
"""The start of the two lines of a page that hold its data as JSON."""
_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


class UnexpectedPage(Exception):
    """The page's structure is not the one that this module knows; it must not be published."""


def harden(page: str, *, title: str, header: str) -> str:
    """Escape the page's data, and add a policy, a title, and `header` on top.

    `title` and `header` are HTML already. Raises UnexpectedPage.
    """
    escaped = _escape_data(page)
    start, head, rest = escaped.partition("<head>")
    before_body, body, content = rest.partition("<body>")
    if not head or not body:
        raise UnexpectedPage("The page has no head or no body.")
    policy = f'<meta http-equiv="Content-Security-Policy" content="{_policy(escaped)}">'
    return (
        f"{start.lstrip()}{head}{policy}<title>{title}</title>{before_body}{body}{header}{content}"
    )


def _escape_data(page: str) -> str:
    """Escape the data lines.

    JSON has no raw line breaks, so each line is one complete JSON text. Inside its strings an
    escape stands for the same character.
    """
    lines = page.split("\n")
    data = [i for i, line in enumerate(lines) if line.startswith(DATA_LINE)]
    if (
        len(data) != 2
        or lines[data[0] - 1].strip() != "<script>"
        or lines[data[1] + 1] != "</script>"
    ):
        raise UnexpectedPage("The page's data is not where it used to be.")
    for i in data:
        lines[i] = lines[i].translate(_ESCAPES)
    return "\n".join(lines)


def _policy(page: str) -> str:
    scripts = _SCRIPT.findall(page)
    if len(scripts) != page.count("</script"):
        raise UnexpectedPage("The page's scripts can't be separated.")
    hashes = " ".join(f"'sha256-{_digest(script)}'" for script in scripts)
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {hashes}",
            "style-src 'unsafe-inline'",  # the library writes its styles at run time
            "img-src data:",
            "font-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
