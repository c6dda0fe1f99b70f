"""Processes of their own, which the proxy may kill at any of their calls."""

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from tests.faults.proxy import Faults, Plan

SECONDS = 180
"""What takes longer has failed."""

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "training_job.steps",
        "training_job.evaluation.evaluate",
        "training_job.search.tune",
        "lambdas.predictor.handler",
        "lambdas.drift.handler",
    ]
)


def run_victim(
    faults: Faults, work: Callable[..., object], *args: object, plan: Plan | None = None
) -> Any:
    """What `work(*args)` returns in a process that heads a group; None if it was killed.

    `faults.calls` then has its calls, up to the one at which it was killed.
    """
    here, there = _CONTEXT.Pipe()
    process = _CONTEXT.Process(target=_work, args=(there, work, args))
    process.start()
    there.close()
    faults.victim = int(here.recv())
    faults.calls.clear()
    faults.plan = plan
    here.send("go")
    try:
        return here.recv() if here.poll(SECONDS) else None
    except EOFError:
        return None
    finally:
        faults.plan = None
        process.join()


def _work(parent: Connection, work: Callable[..., object], args: tuple[object, ...]) -> None:
    os.setsid()
    parent.send(os.getpid())
    parent.recv()
    parent.send(work(*args))
