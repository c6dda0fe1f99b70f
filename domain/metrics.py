"""Names of the metrics that the functions emit, as alarms and graphs need them.

Each deployment has a namespace of its own (`domain.deployment`), so that two stages in one account
never count together. Every metric has the dimension `service`; FieldErrors also has `field`, a
field of the contract. The model's version is a property of the log line, not a dimension, because
each combination of dimensions is a paid metric.
"""

from typing import Literal

Service = Literal["predictor", "labels", "dashboard", "drift"]

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
"""Those that the schedule asked for."""
FAILED_RUNS = "FailedRuns"
"""Invocations of the drift function that ended with an error; Lambda tries each three times."""
DRIFTED_RUNS = "DriftedRuns"
"""Those that found drift or a performance drop."""
UNDECIDED_RUNS = "UndecidedRuns"
"""Those without enough data for a verdict."""
ROWS = "Rows"
"""Predictions in the windows of the runs."""
SKIPPED_ROWS = "SkippedRows"
"""Malformed rows and unreadable objects that the runs left out."""
REFUSED_MAILS = "RefusedMails"
"""Runs whose mail was refused by SES."""
LAST_RUN_AGE = "LastRunAge"
"""Seconds since the end of the latest window that the schedule had judged, told by every run."""

REGULAR = (LATENCY, INSTANCES, POSITIVES, LOG_FALLBACKS)
"""What the predictor says of every request."""
TROUBLE = (VALIDATION_ERRORS, UNAVAILABLE, UNEXPECTED, BUNDLE_TROUBLE)
"""What it says of one that failed, and FieldErrors for each bad field."""
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
"""What the drift function says of its runs."""
