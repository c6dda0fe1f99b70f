"""What computes the steps over rows: this task alone, or a Dask cluster."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self, get_args

EngineName = Literal["local", "dask"]
ENGINES: tuple[EngineName, ...] = get_args(EngineName)
ENGINE_FIELDS = ("engine", "workers", "scheduler")
"""Fields of an execution's input, and of a stage's settings, that choose the engine."""
MAXIMUM_WORKERS = 100
SCHEMES = ("tcp://", "tls://", "ucx://", "ws://", "wss://")


@dataclass(frozen=True, slots=True)
class Engine:
    """`workers`: tasks that the step starts, and ends. `scheduler`: of a cluster that is there
    already, whose workers are then used.
    """

    name: EngineName = "local"
    workers: int = 0
    scheduler: str = ""

    @property
    def is_local(self) -> bool:
        """Whether the step's own task does the work."""
        return self.name == "local"

    @staticmethod
    def problems(document: Mapping[str, Any]) -> list[str]:
        """What is wrong with the fields `engine`, `workers` and `scheduler` of decoded JSON.

        Empty when `parse` takes them. Other fields don't matter.
        """
        name = document.get("engine", "local")
        if name not in ENGINES:
            return [f"engine must be one of {', '.join(ENGINES)}"]
        workers, scheduler = document.get("workers", 0), document.get("scheduler", "")
        problems = []
        if not isinstance(workers, int) or isinstance(workers, bool) or workers < 0:
            problems.append("workers must be a whole number")
        elif workers > MAXIMUM_WORKERS:
            problems.append(f"workers must be at most {MAXIMUM_WORKERS}")
        if not isinstance(scheduler, str) or (scheduler and not _is_address(scheduler)):
            problems.append("scheduler must be an address such as tcp://10.0.0.7:8786")
        if problems:
            return problems
        if name == "local" and (workers or scheduler):
            return ['workers and scheduler need "engine": "dask"']
        if name == "dask" and bool(workers) == bool(scheduler):
            return ["engine dask needs workers (how many to start), or the address of a scheduler"]
        return []

    @classmethod
    def parse(cls, document: Mapping[str, Any]) -> Self:
        """Read what `problems` has no objection to."""
        return cls(
            document.get("engine", "local"),
            document.get("workers", 0),
            document.get("scheduler", ""),
        )


def _is_address(text: str) -> bool:
    host, _, port = text.partition("://")[2].rpartition(":")
    return text.startswith(SCHEMES) and bool(host) and port.isdigit() and len(text) <= 200
