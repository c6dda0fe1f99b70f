"""What every story needs: the emulator, the proxy before it, and clients on both sides of it."""

from dataclasses import dataclass

from domain.contract.contract import Contract
from ops.laptop import Laptop
from tests.faults import invariants
from tests.faults.invariants import Allowed
from tests.faults.proxy import Proxy
from tests.faults.story import Clients, Site, Story


@dataclass(frozen=True)
class Stage:
    """`direct` go past the proxy, for setting up and for looking; `clients` go through it."""

    laptop: Laptop
    proxy: Proxy
    direct: Clients
    clients: Clients
    contract: Contract

    def story(self) -> Story:
        """A new story in a site of its own."""
        return Story(Site.build(self.direct, self.contract), self.clients)

    def direct_story(self) -> Story:
        """The same, past the proxy."""
        return Story(Site.build(self.direct, self.contract), self.direct)

    def find_problems(
        self,
        story: Story,
        *,
        mails: int,
        allowed: Allowed = Allowed(),  # noqa: B008 - frozen
    ) -> list[str]:
        """See `invariants.find_problems`."""
        return invariants.find_problems(
            story, direct=self.direct, laptop=self.laptop, allowed=allowed, mails=mails
        )
