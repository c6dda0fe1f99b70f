"""What every story needs: the emulator and MLflow, the proxies before them, and clients."""

import io
from dataclasses import dataclass
from functools import cached_property

from domain.contract.contract import Contract
from ops.laptop import Laptop
from tests.faults import invariants
from tests.faults.invariants import Allowed
from tests.faults.proxy import Faults
from tests.faults.site import Clients, Site
from tests.faults.story import Story
from tests.unit.monitoring import scored


@dataclass(frozen=True)
class Stage:
    """`direct` go past the proxy, for setting up and for looking; `clients` go through it."""

    laptop: Laptop
    faults: Faults
    direct: Clients
    clients: Clients
    contract: Contract

    def story(self) -> Story:
        """A new story in a site of its own."""
        return Story(self._site(), self.clients, self.direct)

    def direct_story(self) -> Story:
        """The same, past the proxy."""
        return Story(self._site(), self.direct, self.direct)

    def find_problems(
        self,
        story: Story,
        *,
        allowed: Allowed = Allowed(),  # noqa: B008 - frozen
    ) -> list[str]:
        """See `invariants.find_problems`."""
        return invariants.find_problems(
            story, direct=self.direct, laptop=self.laptop, allowed=allowed
        )

    def _site(self) -> Site:
        return Site.build(self.direct, self.contract, self._reference)

    @cached_property
    def _reference(self) -> bytes:
        buffer = io.BytesIO()
        scored(1_000, seed=1).to_parquet(buffer)
        return buffer.getvalue()
