"""Names of the metrics that the functions emit; alarms and graphs use the same names.

Each deployment has a namespace of its own (`domain.deployment`), so that two stages in one account
never count together. Every metric has the dimension `service`; FieldErrors also has `field`, a
field of the contract. The model's version is a property of the log line, not a dimension, because
each combination of dimensions is a paid metric.
"""

from typing import Literal

Service = Literal["predictor", "labels", "dashboard", "changes", "inspection", "drift"]

LATENCY = "Latency"
"""Milliseconds from event to response of POST /predict and POST /labels."""
INSTANCES = "Instances"
"""Predictions answered, or labels accepted."""
POSITIVES = "Positives"
VALIDATION_ERRORS = "ValidationErrors"
"""Requests refused with 400, 413 or 415."""
FIELD_ERRORS = "FieldErrors"
"""Bad values of one field, by the dimension `field`."""
LOG_FALLBACKS = "LogFallbacks"
"""Records that went to the fallback because the stream refused them."""
UNAVAILABLE = "Unavailable"
"""Requests answered 503."""
UNEXPECTED = "UnexpectedErrors"
"""Requests answered 500: a defect."""
BUNDLE_TROUBLE = "BundleTrouble"
"""Reads of the champion that failed; the last good model, or the previous one, serves on."""

RUNS = "Runs"
"""Drift runs, one per window and version."""
SCHEDULED_RUNS = "ScheduledRuns"
"""Drift runs that the schedule requested."""
FAILED_RUNS = "FailedRuns"
"""Invocations of the drift function that ended with an error; Lambda tries each three times."""
DRIFTED_RUNS = "DriftedRuns"
"""Drift runs that found drift or a performance drop."""
UNDECIDED_RUNS = "UndecidedRuns"
"""Drift runs without enough data for a verdict."""
ROWS = "Rows"
"""Predictions in the windows of the runs."""
SKIPPED_ROWS = "SkippedRows"
"""Malformed rows and unreadable objects that the runs left out."""
REFUSED_MAILS = "RefusedMails"
"""Runs whose mail was refused by SES."""
LAST_RUN_AGE = "LastRunAge"
"""Seconds since the end of the latest window of a scheduled run; every run reports it."""

REGULAR = (LATENCY, INSTANCES, POSITIVES, LOG_FALLBACKS)
"""The predictor emits these for every request."""
TROUBLE = (VALIDATION_ERRORS, UNAVAILABLE, UNEXPECTED, BUNDLE_TROUBLE)
"""It emits these for a failed request, and FieldErrors for each bad field."""
DAILY = (
    RUNS,
    SCHEDULED_RUNS,
    FAILED_RUNS,
    DRIFTED_RUNS,
    UNDECIDED_RUNS,
    ROWS,
    SKIPPED_ROWS,
    REFUSED_MAILS,
    LAST_RUN_AGE,
)
"""The drift function emits these for its runs."""
