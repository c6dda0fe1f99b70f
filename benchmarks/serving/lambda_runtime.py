"""Lambda's runtime API (2018-06-01), and a function that awslambdaric runs behind it.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import queue
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.harness import read_peak
from benchmarks.serving.local_http import Handler, serving

TIMEOUT_SECONDS = 60.0


@dataclass
class Function:
    """One execution environment; `began` is the start of its process, by perf_counter."""

    events: "queue.Queue[bytes]" = field(default_factory=queue.Queue)
    answers: "queue.Queue[tuple[str, bytes, float]]" = field(default_factory=queue.Queue)
    began: float = 0.0
    process: "subprocess.Popen[bytes] | None" = None

    def invoke(self, event: Mapping[str, object]) -> tuple[object, float]:
        """Invoke the function; return its answer and when it came (perf_counter)."""
        self.events.put(json.dumps(event).encode())
        kind, body, when = self.answers.get(timeout=TIMEOUT_SECONDS)
        if kind != "response":
            raise RuntimeError(f"The function failed: {body[:500]!r}")
        return json.loads(body), when

    def peak_megabytes(self) -> float:
        """Return the largest resident size that the process has had."""
        assert self.process is not None
        return read_peak(self.process.pid) / 1e6


@contextmanager
def running(handler: str, environ: Mapping[str, str]) -> Iterator[Function]:
    """Start a fresh environment of the function. It may be invoked while it is still starting.

    `environ`: with LAMBDA_TASK_ROOT, the folder of the function's code.
    """
    function = Function()

    class RuntimeApi(Handler):
        def do_GET(self) -> None:  # noqa: N802 - http.server's name
            """Wait for the next invocation and return it."""
            event = function.events.get()
            self.answer(
                200,
                event,
                Lambda_Runtime_Aws_Request_Id="8476a536-e9f4-11e8-9739-2dfe598c3fcd",
                Lambda_Runtime_Deadline_Ms=str(int(1000 * (time.time() + 29))),
                Lambda_Runtime_Invoked_Function_Arn="arn:aws:lambda:us-east-1:0:function:f",
                Content_Type="application/json",
            )

        def do_POST(self) -> None:  # noqa: N802 - http.server's name
            """Receive an answer or an error."""
            body, when = self.body(), time.perf_counter()
            self.answer(202, b"")
            function.answers.put((self.path.rpartition("/")[2], body, when))

    with serving(RuntimeApi) as address:
        env = dict(environ) | {
            "AWS_LAMBDA_RUNTIME_API": address,
            "AWS_LAMBDA_FUNCTION_NAME": "f",
            "AWS_LAMBDA_FUNCTION_VERSION": "1",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "1024",
        }
        function.began = time.perf_counter()
        function.process = subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", handler],
            cwd=env["LAMBDA_TASK_ROOT"],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield function
        finally:
            function.process.kill()
            function.process.wait()
            function.events.put(b"{}")  # releases a thread that still waits for an event
