"""Settings travel through environment variables and come back."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.environment import BadSettings, Environment
from lambdas.dashboard.settings import Settings as DashboardSettings
from lambdas.labels.settings import Settings as LabelsSettings
from lambdas.predictor.settings import Settings as PredictorSettings

PREDICTOR = PredictorSettings(
    models_bucket="m",
    predictions_bucket="p",
    log_stream="s",
    metrics_namespace="circle-dev",
    operator_command="ops",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Example(Environment):
    """One field of each kind."""

    text: str
    number: int
    share: float = 0.5
    flag: bool = False
    maybe: str | None = None


@given(
    st.builds(
        Example,
        text=st.text(),
        number=st.integers(),
        share=st.floats(allow_nan=False),
        flag=st.booleans(),
        maybe=st.none() | st.text(),
    )
)
def test_settings_come_back(settings: Example) -> None:
    assert settings == Example.from_env(settings.to_env())


@pytest.mark.parametrize(
    "settings",
    [
        PREDICTOR,
        LabelsSettings(
            predictions_bucket="p", labels_stream="s", target="diabetes", metrics_namespace="n"
        ),
        DashboardSettings(
            reports_bucket="r",
            models_bucket="m",
            predictions_bucket="p",
            report_secret_arn="arn",
            event_bus="b",
            state_machine_arn="m",
            database="d",
            workgroup="w",
            operator_command="ops",
            metrics_namespace="n",
            drift_schedule="cron(0 14 * * ? *)",
            report_seconds=60,
        ),
    ],
)
def test_each_functions_settings_come_back(settings: Environment) -> None:
    assert settings == type(settings).from_env({**settings.to_env(), "PATH": "/bin"})


def test_a_variable_is_the_field_in_upper_case() -> None:
    expected = {
        "MODELS_BUCKET": "m",
        "PREDICTIONS_BUCKET": "p",
        "LOG_STREAM": "s",
        "METRICS_NAMESPACE": "circle-dev",
        "OPERATOR_COMMAND": "ops",
        "CHAMPION_SECONDS": "60.0",
    }
    assert expected == PREDICTOR.to_env()


def test_every_problem_is_named_and_no_value_repeated() -> None:
    with pytest.raises(BadSettings) as raised:
        Example.from_env({"NUMBER": "many", "FLAG": "perhaps"})
    message = str(raised.value)
    for part in ("TEXT is missing", "NUMBER can't be read as int", "FLAG can't be read as bool"):
        assert part in message
    assert "many" not in message
