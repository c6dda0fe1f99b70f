"""Make Evidently's page safe to open: its data can't become markup, and nothing else can run.

The page is one file with everything inline. What the data says is escaped, and a content
security policy allows exactly the scripts that are in the page now, by their hashes, and no
connection to anywhere. (S3 can't send a policy as a header; a frame around the page does what a
`<meta>` can't, `sandbox`.)
"""

import base64
import hashlib
import re

DATA_LINE = "    var "
"""How the two lines of a page begin that hold its data as JSON."""
_ESCAPES = {ord(c): f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"}
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


class UnexpectedPage(Exception):
    """The page isn't built as this module knows it: it must not be published."""


def harden(page: str, *, title: str, header: str) -> str:
    """The page with its data escaped, a policy, a title, and `header` on top.

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
    """JSON holds no raw line break, so each data line is one whole JSON text; inside its strings
    an escape means the same character as before.
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
        raise UnexpectedPage("The page's scripts can't be told apart.")
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
