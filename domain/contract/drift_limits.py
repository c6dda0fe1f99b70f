"""From which effect on a feature counts as drifted: the project's limits, or the contract's own."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from domain.drift.drift import ADDED_SHARE_LIMIT, EFFECT_THRESHOLD, ODDS_RATIO_LIMIT


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftLimits:
    """The smallest effects of one feature that count as drift.

    `distance`: of the distribution of values, as `EFFECT_THRESHOLD`. `odds_ratio`: of a flag, a
    category or missing values. `added_share`: the growth of the share of missing or invalid
    values; 0.005 is half a percentage point.
    """

    distance: float = EFFECT_THRESHOLD
    odds_ratio: float = ODDS_RATIO_LIMIT
    added_share: float = ADDED_SHARE_LIMIT


USUAL = DriftLimits()
NAMES = tuple(field.name for field in fields(DriftLimits))
_RANGES = {"distance": (0.0, 10.0), "odds_ratio": (1.0, 1000.0), "added_share": (0.0, 1.0)}


def read_drift_limits(where: str, entry: object, problems: list[str]) -> DriftLimits:
    """Read a feature's `drift` table; notes what is wrong with it."""
    if not isinstance(entry, Mapping):
        problems.append(f"{where}: drift must be a table such as {{distance = 0.2}}")
        return USUAL
    limits: dict[str, float] = {}
    for name, value in entry.items():
        if name not in NAMES:
            problems.append(f"{where}: drift has no limit {name}; it may set {', '.join(NAMES)}")
            continue
        low, high = _RANGES[name]
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not low < value <= high:
            problems.append(
                f"{where}: drift.{name} must be a number above {low:g} and at most {high:g}"
            )
            continue
        limits[name] = float(value)
    return DriftLimits(**limits)


def write_drift_limits(limits: DriftLimits) -> dict[str, float]:
    """The limits that differ from the usual ones, as `read_drift_limits` takes them back."""
    usual = asdict(USUAL)
    return {name: value for name, value in asdict(limits).items() if value != usual[name]}
