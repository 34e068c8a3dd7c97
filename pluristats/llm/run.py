"""The result of a run: outcomes in the order of the requests, read from the store when they are looked at."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, overload

from pluristats.display.shown import Displayed, Shown, mark
from pluristats.llm.chain import Chain
from pluristats.llm.outcome import Completed, Failed, NotAsked, Outcome, Refused
from pluristats.llm.session import Counts
from pluristats.llm.store import ResponseStore

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Run(Sequence[Outcome], Displayed):
    """One outcome a request, in the order given; it holds keys only, so the store must stay open.

    Parameters
    ----------
    store, endpoint
        Where the answers are, and the endpoint's identity.
    keys
        Of the requests given, in order.
    chain
        How answers are judged.
    counts
        What this run did.
    number
        Of this run in the store (0: nothing was sent).
    """

    store: ResponseStore = field(repr=False)
    endpoint: str
    keys: Sequence[str] = field(repr=False)
    chain: Chain = field(repr=False)
    counts: Counts
    number: int

    def __repr__(self) -> str:
        counted = "".join(f", {count:,} {name}" for name, count in self._outcomes().items())
        simulated = mark(self.simulated)
        return f"<Run: {len(self):,} requests{counted}{simulated}>"

    def _shown(self) -> Shown:
        import pandas as pd

        counts = self.counts
        used = f"{counts.prompt_tokens:,} tokens of prompts and {counts.completion_tokens:,} of answers"
        tables = [("Outcomes", pd.DataFrame(self._outcomes().items(), columns=["outcome", "requests"]))]
        for caption, names, counted in (
            ("Why requests have failed", ["reason", "requests"], counts.failures),
            ("Attempts without an answer", ["what", "attempts"], counts.troubles),
        ):
            if counted:
                tables.append((caption, pd.DataFrame(counted.most_common(), columns=names, dtype=object)))
        if counts.versions:
            tables.append(("Which model answered", self.drift().astype(object)))
        return Shown(
            f"Run of {len(self):,} requests",
            self.simulated,
            lines=(
                f"{self.endpoint}: {counts.sent:,} sent, {counts.reused:,} in the store before; {used}.",
                f"{counts.simulated:,} of {len(self):,} come from a simulated endpoint.",
            )[: 1 + self.simulated],
            tables=tuple(tables),
            notes=("Each request: tidy(); those without an answer: failed().",),
        )

    def _outcomes(self) -> dict[str, int]:
        """Requests by outcome, as counted while the run went on: the store is not read."""
        counted = {kind.name: self.counts.outcomes[kind.name] for kind in (Completed, Refused, Failed)}
        counted[NotAsked.name] = len(self) - sum(counted.values())
        return {name: count for name, count in counted.items() if count}

    def __len__(self) -> int:
        return len(self.keys)

    def __iter__(self) -> Iterator[Outcome]:
        return (self._outcome(key) for key in self.keys)

    @overload
    def __getitem__(self, index: int) -> Outcome: ...
    @overload
    def __getitem__(self, index: slice) -> list[Outcome]: ...
    def __getitem__(self, index: int | slice) -> Outcome | list[Outcome]:
        """Outcome of one request, or of several."""
        found = self.keys[index]
        return self._outcome(found) if isinstance(found, str) else [self._outcome(key) for key in found]

    def _outcome(self, key: str) -> Outcome:
        return self.chain.outcome(self.store, self.endpoint, key, self.number)

    @property
    def simulated(self) -> bool:
        """Whether any answer came from a simulated endpoint."""
        return self.counts.simulated > 0

    def failed(self) -> list[tuple[int, Failed | Refused | NotAsked]]:
        """Position and outcome of every request that has no answer."""
        return [(i, outcome) for i, outcome in enumerate(self) if not isinstance(outcome, Completed)]

    def tidy(self) -> pd.DataFrame:
        """One row a request, in order.

        Columns: item (position, from 0), outcome (completed, refused, failed, not asked), text, reason, finish, model,
        fingerprint, simulated, prompt_tokens, completion_tokens, repairs, from_store, key.
        """
        import pandas as pd

        rows = [_row(i, outcome) for i, outcome in enumerate(self)]
        columns = list(_row(0, NotAsked("")))
        # As objects: pandas 3's own text cannot hold half a surrogate pair, which a model's answer can.
        table = pd.DataFrame(rows, columns=columns, dtype=object)
        numbers = {name: "Int64" for name in ("prompt_tokens", "completion_tokens", "repairs")}
        return table.astype({"item": int, "simulated": bool, "from_store": bool, **numbers})

    def drift(self) -> pd.DataFrame:
        """Which model answered: columns asked, model, fingerprint, answers."""
        import pandas as pd

        rows = [(*version, count) for version, count in self.counts.versions.items()]
        table = pd.DataFrame(rows, columns=["asked", "model", "fingerprint", "answers"], dtype=object)
        return table.astype({"answers": int})


def _row(item: int, outcome: Outcome) -> dict[str, Any]:
    usage = getattr(outcome, "usage", None)
    return {
        "item": item,
        "outcome": outcome.name,
        **{name: getattr(outcome, name, None) for name in ("text", "reason", "finish", "model", "fingerprint")},
        "simulated": getattr(outcome, "simulated", False),
        "prompt_tokens": None if usage is None else usage.prompt_tokens,
        "completion_tokens": None if usage is None else usage.completion_tokens,
        "repairs": getattr(outcome, "repairs", 0),
        "from_store": getattr(outcome, "from_store", False),
        "key": outcome.key,
    }
