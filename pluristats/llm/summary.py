"""What a run comes to: its outcomes counted, and warnings of what a reader must know."""

from __future__ import annotations

import warnings
from collections import Counter

from pluristats.errors import MissingAnswersWarning, ModelDriftWarning
from pluristats.llm.outcome import Completed, Failed, NotAsked
from pluristats.llm.run import Run
from pluristats.llm.session import Counts


def recount(run: Run) -> Run:
    """The same run with its outcomes counted from the store."""
    counts = run.counts
    for outcome in run:
        counts.outcomes[outcome.name] += 1
        if isinstance(outcome, NotAsked):
            continue
        counts.reused += outcome.from_store
        counts.simulated += outcome.simulated
        if isinstance(outcome, Failed):
            counts.failures[outcome.kind] += 1
        elif isinstance(outcome, Completed):
            ((asked,),) = run.store.rows("SELECT asked FROM responses WHERE key = ?", (outcome.key,))
            counts.versions[asked, outcome.model, outcome.fingerprint] += 1
    return run


def warn(counts: Counts, total: int) -> None:
    """Warn of requests without an answer, and of answers by different versions of a model."""
    missing = {kind: counts.outcomes[kind] for kind in ("refused", "failed") if counts.outcomes[kind]}
    if missing:
        reasons = ", ".join(f"{count} {kind}" for kind, count in counts.failures.most_common(5))
        warnings.warn(
            f"{sum(missing.values())} of {total} requests have no answer: "
            + ", ".join(f"{count} {kind}" for kind, count in missing.items())
            + (f" ({reasons})" if reasons else "")
            + "; Run.failed() lists them, retry_failed (--retry-failed) asks those that failed again",
            MissingAnswersWarning,
            stacklevel=3,
        )
    versions: dict[str, Counter[str]] = {}
    for (asked, model, fingerprint), count in counts.versions.items():
        name = model or "a model without a name"
        versions.setdefault(asked, Counter())[f"{name} ({fingerprint})" if fingerprint else name] += count
    for asked, found in versions.items():
        if len(found) > 1:
            told = ", ".join(f"{count} from {name}" for name, count in found.most_common(5))
            warnings.warn(
                f"answers of {asked!r} come from {len(found)} versions: {told}; they may not be comparable",
                ModelDriftWarning,
                stacklevel=3,
            )
