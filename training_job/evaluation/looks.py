"""How often the same rows have judged a model since the last promotion.

Each further look at the same rows makes a false promotion more likely: among equal challengers, one
will look better by chance. The model cards say which rows a verdict was reached on, so nothing else
has to be kept.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain.model.card import ModelCard

MOST_CARDS = 500
"""Only the newest cards are read, so that the step's time doesn't grow with every version."""


@dataclass(frozen=True, slots=True)
class EarlierVerdicts:
    """`cards`: of other executions, the newest first."""

    cards: tuple[ModelCard, ...]

    @classmethod
    def read(cls, models: Bucket, execution: str) -> "EarlierVerdicts":
        """All but those of a retried execution."""
        store = ModelStore(models)
        cards = (store.read_card(version) for version in store.list_cards()[:MOST_CARDS])
        return cls(tuple(c for c in cards if c is not None and c.execution != execution))

    def count_on_uploaded(self, dataset_id: str, test_rows_id: str) -> int:
        """Verdicts by these uploaded test rows since they last promoted a model.

        Appended files make other test rows, which are counted from zero although they keep the
        earlier ones.
        """
        return self._count(
            card.recent_role != "decides"
            and (
                card.test_rows_id == test_rows_id
                if card.test_rows_id
                else card.dataset_id == dataset_id
            )
            for card in self.cards
        )

    @property
    def used_until(self) -> int:
        """Production rows predicted from then on (UTC ms) have decided on no model yet."""
        return max((c.recent.end for c in self.cards if c.recent and _decided(c)), default=0)

    def count_on_production(self, start: int) -> int:
        """Verdicts by production rows predicted at `start` or later since the last promotion."""
        return self._count(
            _decided(card) and card.recent is not None and card.recent.end > start
            for card in self.cards
        )

    def _count(self, relevant: Iterable[bool]) -> int:
        found = 0
        for card, counts in zip(self.cards, relevant, strict=True):
            if counts and card.verdict.promote:
                break
            found += counts
        return found


def _decided(card: ModelCard) -> bool:
    return card.recent_role == "decides"
