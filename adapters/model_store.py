"""The models bucket: the champion pointer, the ledger, and what each version carries."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from adapters.s3 import Bucket
from domain import keys
from domain.errors import BadBundle, BadKey, BadRecord
from domain.model.bundle import MAXIMUM_STORED_BYTES, Bundle, digest
from domain.model.champion import Champion, LedgerEntry, ModelRef

if TYPE_CHECKING:
    from domain.model.card import ModelCard

NO_BUNDLE = "The bundle is missing."


@dataclass(frozen=True, slots=True)
class Pointer:
    """The champion pointer and the ETag that names exactly this state of it."""

    champion: Champion
    etag: str


@dataclass(frozen=True, slots=True)
class ModelStore:
    """One models bucket. Its readers take an object for damaged only when two readings agree."""

    bucket: Bucket

    def read_pointer(self) -> Pointer | None:
        """The champion pointer, or None before the first promotion; raises BadRecord."""
        found = self.bucket.read_with_etag(keys.CHAMPION, Champion.from_json)
        return Pointer(*found) if found else None

    def read_pointer_if_changed(self, etag: str) -> Pointer | Literal["unchanged"] | None:
        """The same, unless the pointer still has this ETag; raises BadRecord."""
        stored = self.bucket.get_if_changed(keys.CHAMPION, etag)
        if stored is None or stored == "unchanged":
            return stored
        try:
            return Pointer(Champion.from_json(stored.data), stored.etag)
        except BadRecord:
            return self.read_pointer()

    def read_champion(self) -> Champion | None:
        """What serves now, or None before the first promotion; raises BadRecord."""
        pointer = self.read_pointer()
        return pointer.champion if pointer else None

    def replace_pointer(self, champion: Champion, etag: str | None) -> str:
        """Compare-and-swap, see `Bucket.put_if`; returns the new ETag, raises Conflict."""
        return self.bucket.put_if(keys.CHAMPION, champion.to_json(), etag=etag)

    def list_ledger(self) -> list[tuple[int, str, str]]:
        """``(seq, action, version)`` of each entry, the oldest first, from the keys alone."""
        found = []
        for listed in self.bucket.list(keys.LEDGER):
            with suppress(BadKey):  # whatever else somebody put there
                found.append(keys.parse_ledger_entry(listed.key))
        return found

    def read_entry(self, key: str) -> LedgerEntry:
        """The ledger entry of that key; raises BadRecord when it is missing or damaged."""
        found = self.bucket.read(key, LedgerEntry.from_json)
        if found is None or found.key != key:
            raise BadRecord("It is not the entry that its key names.")
        return found

    def load_bundle(self, model: ModelRef) -> Bundle:
        """The bundle that `model` names, checked against its whole hash.

        Raises BadBundle when it is missing, too large or no bundle of this hash, and `UNREACHABLE`.
        """
        found = self.bucket.read(
            model.bundle_key,
            lambda data: Bundle.from_bytes(_check_size(data), model.sha256),
            limit=MAXIMUM_STORED_BYTES + 1,
        )
        if found is None:
            raise BadBundle(NO_BUNDLE)
        return found

    def find_model(self, version: str) -> ModelRef:
        """A version's reference, by the hash of its stored bundle.

        Raises BadBundle when the bundle is missing or its hash isn't the one in the version's
        name, BadKey for a text that is no version.
        """
        number = keys.registry_number(version)

        def identify(data: bytes) -> ModelRef:
            model = ModelRef.of(number, digest(_check_size(data)))
            if model.version != version:
                raise BadBundle("The bundle's bytes don't match the hash in its version's name.")
            return model

        limit = MAXIMUM_STORED_BYTES + 1
        found = self.bucket.read(keys.bundle(version), identify, limit=limit)
        if found is None:
            raise BadBundle(NO_BUNDLE)
        return found

    def read_card(self, version: str) -> "ModelCard | None":
        """The version's model card; None when it is missing or damaged; raises BadKey."""
        from domain.model.card import ModelCard  # here, because answering needs none

        try:
            return self.bucket.read(keys.card(version), ModelCard.from_json)
        except BadRecord:
            return None

    def read_reference(self, version: str) -> bytes | None:
        """The version's reference sample as Parquet, or None when there is none."""
        stored = self.bucket.get(keys.reference(version))
        return stored.data if stored else None

    def list_versions(self) -> frozenset[str]:
        """Every version that has a folder of its own."""
        return frozenset(self._versions())

    def list_cards(self) -> list[str]:
        """Every version that has a model card, the newest registry number first."""
        found = []
        for listed in self.bucket.list(keys.BUNDLES):
            with suppress(BadKey):  # a bundle, a reference, or an unknown object
                found.append(keys.parse_card(listed.key))
        return sorted(found, key=lambda version: int(keys.registry_number(version)), reverse=True)

    def _versions(self) -> Iterator[str]:
        for folder in self.bucket.folders(keys.BUNDLES):
            with suppress(BadKey):  # whatever else somebody put there
                yield keys.check_version(folder.removeprefix(keys.BUNDLES).rstrip("/"))


def _check_size(data: bytes) -> bytes:
    if len(data) > MAXIMUM_STORED_BYTES:
        raise BadBundle(f"The bundle is larger than {MAXIMUM_STORED_BYTES:,} bytes.")
    return data
