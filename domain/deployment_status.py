"""What a list of deployments says about each: what serves, the last verdict, the open incident."""

from dataclasses import dataclass

from domain.drift.drift import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentStatus:
    """One deployment, without any feature value.

    `target`: the column that it predicts. `api_url`: also the address of its dashboard. `champion`:
    the version that serves. `outcome`: of the drift run with the newest window, which ends at
    `window_end` (UTC milliseconds). `incident`: what has drifted, empty while no incident is open.
    `problems`: what could not be read, as sentences.
    """

    target: str
    api_url: str
    champion: str | None = None
    outcome: Outcome | None = None
    window_end: int | None = None
    incident: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
