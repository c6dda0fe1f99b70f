"""How often challengers of the same champion have been judged, and on which rows.

Each further test makes a false promotion more likely: among equal challengers, one will look better
by chance. The model cards say which champion a verdict compared with and which rows it was reached
on, so nothing else has to be kept. After a promotion the champion is another one.
"""

from dataclasses import dataclass

from adapters.model_store import ModelStore
from adapters.s3 import Bucket
from domain.model.card import ModelCard

MOST_CARDS = 500
"""Only the newest cards are read, so that the step's time doesn't grow with every version."""


@dataclass(frozen=True, slots=True)
class EarlierVerdicts:
    """`cards`: of other executions. `champion_version`: the one that serves now."""

    cards: tuple[ModelCard, ...]
    champion_version: str | None

    @classmethod
    def read(
        cls, models: Bucket, execution: str, champion_version: str | None
    ) -> "EarlierVerdicts":
        """All but those of a retried execution."""
        store = ModelStore(models)
        cards = (store.read_card(version) for version in store.list_cards()[:MOST_CARDS])
        others = tuple(card for card in cards if card is not None and card.execution != execution)
        return cls(others, champion_version)

    def count_on_uploaded(self, dataset_id: str, test_rows_id: str) -> int:
        """Verdicts on challengers of this champion by these uploaded test rows.

        Appended files make other test rows, which are counted from zero although they keep the
        earlier ones.
        """
        return sum(
            not _decided_by_production(card)
            and (
                card.test_rows_id == test_rows_id
                if card.test_rows_id
                else card.dataset_id == dataset_id
            )
            for card in self._of_this_champion()
        )

    def count_on_production(self) -> int:
        """Verdicts on challengers of this champion by production rows, whichever these were."""
        return sum(map(_decided_by_production, self._of_this_champion()))

    @property
    def used_until(self) -> int:
        """Production rows predicted from then on (UTC ms) have decided on no model yet."""
        decided = filter(_decided_by_production, self.cards)
        return max((card.recent.end for card in decided if card.recent), default=0)

    def _of_this_champion(self) -> list[ModelCard]:
        version = self.champion_version
        return [card for card in self.cards if card.verdict.champion_version == version]


def _decided_by_production(card: ModelCard) -> bool:
    return card.recent_role == "decides"
