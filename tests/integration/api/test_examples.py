"""The shell script among the examples, on the deployed API."""

import json
import os
import re
import shutil
import subprocess
from typing import Any

import pytest
import requests

from ops.api import Api
from ops.laptop import ROOT


@pytest.mark.skipif(shutil.which("curl") is None, reason="the script is curl's")
def test_the_script_calls_each_route_that_needs_no_id_and_all_answer(api: Api) -> None:
    done = subprocess.run(
        ["sh", "-x", str(ROOT / "examples" / "requests.sh")],
        env=os.environ | {"API": api.url, "KEY": api.key},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert 0 == done.returncode, done.stderr[-2_000:]
    document: dict[str, Any] = requests.get(f"{api.url}/openapi.json", timeout=60).json()
    routes = {(m, path) for path, item in document["paths"].items() for m in item}
    wanted = {(method, path) for method, path in routes if "{" not in path and path != "/"}
    wanted.remove(("post", "/monitoring/acknowledgements"))  # it needs an open incident
    called = {
        ("post" if " --data " in line else "get", match[1])
        for line in done.stderr.splitlines()
        if (match := re.search(rf"{re.escape(api.url)}([^ ?\"']*)", line)) and "+ curl" in line
    }
    assert wanted == called
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(answers) >= len(wanted)
