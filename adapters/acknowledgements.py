"""Acknowledgements in the reports bucket; the first of an incident counts and stays."""

from dataclasses import dataclass

from adapters.s3 import Bucket, Conflict
from domain import keys
from domain.drift.acknowledgement import Acknowledgement, Kind
from domain.drift.incident import Incident
from domain.errors import BadRecord


@dataclass(frozen=True, slots=True)
class Acknowledgements:
    """The records under `keys.ACKNOWLEDGEMENTS`."""

    reports: Bucket

    def find(self, kind: Kind, incident: Incident) -> Acknowledgement | None:
        """That of an open incident; None without one. A damaged one counts as missing."""
        if incident.opened_at is None:
            return None
        return self.read(kind, incident.opened_at)

    def read(self, kind: Kind, opened_at: int) -> Acknowledgement | None:
        """That of the incident which was opened then; None without a readable one."""
        key = keys.acknowledgement(kind, opened_at)
        try:
            return self.reports.read(key, Acknowledgement.from_json)
        except BadRecord:
            return None

    def add(self, acknowledgement: Acknowledgement) -> Acknowledgement:
        """Store it unless the incident has one already; returns the one that counts."""
        key = keys.acknowledgement(acknowledgement.kind, acknowledgement.opened_at)
        try:
            self.reports.put_if(
                key, acknowledgement.to_json(), etag=None, content_type="application/json"
            )
        except Conflict:
            return self.read(acknowledgement.kind, acknowledgement.opened_at) or acknowledgement
        return acknowledgement
