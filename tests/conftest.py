"""What all tests share: property tests that are the same everywhere and on any machine's load."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "house",
    deadline=None,  # a busy machine is no defect
    derandomize=True,  # a failure here is a failure everywhere
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,  # fixtures here are values, not state
        HealthCheck.too_slow,
    ],
)
settings.load_profile("house")
