"""What a moderation found: metrics with intervals, paired comparisons, and every score."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.display.shown import Displayed, Shown
from pluristats.engine.result import Array
from pluristats.errors import EvaluationError
from pluristats.evaluation.moderation.binary import METRICS, drawn, statistics, wilson, wilson_f1
from pluristats.evaluation.resample import interval

_BOOTSTRAPPED = ("auc", "average_precision")


@dataclass(frozen=True, eq=False)
class Scored:
    """What one model says of the labelled rows.

    Parameters
    ----------
    name, note
        What it is.
    score
        Higher is more harmful, shape (n,); ±∞ where a refusal counts as a class, NaN where it is left out.
    flagged
        score ≥ threshold, shape (n,).
    refused
        Rows without an answer, or with one that cannot be read, shape (n,).
    threshold
        As given.
    """

    name: str
    note: str
    score: Array = field(repr=False)
    flagged: NDArray[np.bool_] = field(repr=False)
    refused: NDArray[np.bool_] = field(repr=False)
    threshold: float

    @property
    def there(self) -> NDArray[np.bool_]:
        """Rows that count."""
        return ~np.isnan(self.score)


@dataclass(frozen=True, eq=False)
class Moderation(Displayed):
    """Outcome of :func:`moderate`.

    Parameters
    ----------
    rows
        Positions in the table of the n rows with a label.
    harmful
        Their labels, shape (n,).
    scored
        Models, in the order given.
    n_unlabelled
        Rows of the table without a label, which are left out.
    refusals, seed, draws
        As given.
    simulated
        The table or an answer is made up: then no number here says anything about a model.
    """

    rows: NDArray[np.intp] = field(repr=False)
    harmful: NDArray[np.bool_] = field(repr=False)
    scored: tuple[Scored, ...] = field(repr=False)
    n_unlabelled: int
    refusals: str
    seed: int
    draws: int
    simulated: bool

    def __repr__(self) -> str:
        simulated = "SIMULATED, " if self.simulated else ""
        return (
            f"<Moderation: {simulated}{len(self.scored)} models on {len(self.harmful)} texts, "
            f"{int(self.harmful.sum())} of them harmful>"
        )

    def _shown(self) -> Shown:
        left = f"; {self.n_unlabelled:,} rows without a label are left out" if self.n_unlabelled else ""
        return Shown(
            title="Moderation",
            simulated=self.simulated,
            lines=(f"{len(self.harmful):,} labelled texts, {int(self.harmful.sum()):,} of them harmful{left}.",),
            tables=(("Metrics of each model", self.tidy()),),
        )

    def tidy(self, *, conf_level: float = 0.95) -> pd.DataFrame:
        """One row a model and metric (:data:`~pluristats.evaluation.binary.METRICS`).

        Intervals: Wilson's for precision (given how many are flagged), recall and false_positive_rate, its transform
        for f1; for auc and average_precision percentiles over draws of the rows within each class. What cannot be
        known is NaN, with the reason: without harmless rows there is no AUC, and 0.5 would be a claim.

        Returns
        -------
        DataFrame
            method, metric, estimate, lo, hi, interval (``wilson``, ``bootstrap``), n (texts that count), n_refused,
            reason (of a missing number; else empty).
        """
        rows = [row for scored in self.scored for row in self._of(scored, conf_level)]
        names = ["method", "metric", "estimate", "lo", "hi", "interval", "n", "n_refused", "reason"]
        return pd.DataFrame(rows, columns=names)

    def glance(self, *, conf_level: float = 0.95) -> pd.DataFrame:
        """One row a model: method, n, n_harmful, n_refused, n_unlabelled, threshold, each metric with lo and hi, note.

        ``n`` and ``n_harmful`` are of the texts that count for it; ``note`` has the reasons of missing numbers.
        """
        rows = []
        for scored in self.scored:
            there = scored.there
            row: dict[str, Any] = {
                "method": scored.name,
                "n": int(there.sum()),
                "n_harmful": int((there & self.harmful).sum()),
                "n_refused": int(scored.refused.sum()),
                "n_unlabelled": self.n_unlabelled,
                "threshold": scored.threshold,
            }
            reasons: dict[str, list[str]] = {}
            for _, metric, estimate, low, high, _, _, _, reason in self._of(scored, conf_level):
                row |= {metric: estimate, f"{metric}_lo": low, f"{metric}_hi": high}
                if reason:
                    reasons.setdefault(reason, []).append(metric)
            told = [scored.note, *(f"{', '.join(names)}: {reason}" for reason, names in reasons.items())]
            rows.append(row | {"note": "; ".join(part for part in told if part)})
        return pd.DataFrame(rows)

    def compare(self, a: str, b: str, *, conf_level: float = 0.95) -> pd.DataFrame:
        """Paired differences a - b of every metric, on the texts that count for both; percentiles of shared draws.

        Returns
        -------
        DataFrame
            metric, a, b, estimate_a, estimate_b, difference, lo, hi, n, only_a_right, only_b_right (texts that one
            classes right and the other does not), reason (of a missing number; else empty).

        Raises
        ------
        EvaluationError
            A name that is not there.
        """
        pair = self._named(a), self._named(b)
        at = np.flatnonzero(pair[0].there & pair[1].there)
        (x, why), (y, also) = (self._estimates(scored, at) for scored in pair)
        reasons = why | also
        spread = self._spread(pair[0], at) - self._spread(pair[1], at)
        right = [scored.flagged[at] == self.harmful[at] for scored in pair]
        only = [int((right[0] & ~right[1]).sum()), int((right[1] & ~right[0]).sum())]
        rows = []
        for k, metric in enumerate(METRICS):
            limits = (np.nan, np.nan) if metric in reasons else interval(spread[:, k], conf_level)
            numbers = [x[metric], y[metric], x[metric] - y[metric], *limits, len(at), *only]
            rows.append([metric, a, b, *numbers, reasons.get(metric, "")])
        names = ["metric", "a", "b", "estimate_a", "estimate_b", "difference", "lo", "hi", "n"]
        return pd.DataFrame(rows, columns=[*names, "only_a_right", "only_b_right", "reason"])

    def comparisons(self, *, conf_level: float = 0.95) -> pd.DataFrame:
        """:meth:`compare` of every pair; no rows for one model."""
        pairs = [self.compare(a.name, b.name, conf_level=conf_level) for a, b in combinations(self.scored, 2)]
        return pd.concat(pairs, ignore_index=True) if pairs else pd.DataFrame()

    def predictions(self) -> pd.DataFrame:
        """One row a model and labelled text: row (position in the table), harmful, method, score, flagged, refused.

        A refusal that is left out has no score and is not flagged; one that counts as a class is flagged or not.
        """
        parts = [
            pd.DataFrame(
                {
                    "row": self.rows,
                    "harmful": self.harmful,
                    "method": scored.name,
                    "score": np.where(scored.refused, np.nan, scored.score),
                    "flagged": scored.flagged,
                    "refused": scored.refused,
                }
            )
            for scored in self.scored
        ]
        return pd.concat(parts, ignore_index=True)

    def _of(self, scored: Scored, conf_level: float) -> list[list[Any]]:
        """Rows of :meth:`tidy` of one model."""
        at = np.flatnonzero(scored.there)
        values, reasons = self._estimates(scored, at)
        harmful, flagged = self.harmful[at], scored.flagged[at]
        tp, fp = int((harmful & flagged).sum()), int((~harmful & flagged).sum())
        fn = int(harmful.sum()) - tp
        limits = {
            "precision": wilson(tp, tp + fp, conf_level),
            "recall": wilson(tp, tp + fn, conf_level),
            "f1": wilson_f1(tp, fp, fn, conf_level),
            "false_positive_rate": wilson(fp, len(at) - tp - fn, conf_level),
        }
        spread = self._spread(scored, at)
        limits |= {name: interval(spread[:, METRICS.index(name)], conf_level) for name in _BOOTSTRAPPED}
        if values["auc"] in (0.0, 1.0):
            limits |= dict.fromkeys(_BOOTSTRAPPED, (np.nan, np.nan))
            reasons |= dict.fromkeys(_BOOTSTRAPPED, "no interval, the scores of the classes overlap in no draw")
        out = []
        for metric in METRICS:
            low, high = (np.nan, np.nan) if np.isnan(values[metric]) else limits[metric]
            kind = "bootstrap" if metric in _BOOTSTRAPPED else "wilson"
            numbers = [values[metric], low, high, kind, len(at), int(scored.refused.sum())]
            out.append([scored.name, metric, *numbers, reasons.get(metric, "")])
        return out

    def _estimates(self, scored: Scored, at: NDArray[np.intp]) -> tuple[dict[str, float], dict[str, str]]:
        """Each metric, NaN where the rows cannot tell, and then why."""
        harmful, flagged = self.harmful[at], scored.flagged[at]
        found = statistics(harmful, scored.score[at], flagged, np.ones((1, len(at))))[0]
        reasons = _reasons(harmful, flagged)
        return {m: np.nan if m in reasons else float(v) for m, v in zip(METRICS, found, strict=True)}, reasons

    def _spread(self, scored: Scored, at: NDArray[np.intp]) -> Array:
        """Each metric in each draw, shape (draws, metrics); the draws are of all rows, so that models share them."""
        parts = [
            statistics(self.harmful[at], scored.score[at], scored.flagged[at], weights[:, at])
            for weights in drawn(self.harmful, self.draws, self.seed)
        ]
        return np.concatenate(parts) if parts else np.full((1, len(METRICS)), np.nan)

    def _named(self, name: str) -> Scored:
        for scored in self.scored:
            if scored.name == name:
                return scored
        raise EvaluationError(f"no model {name!r} here; there are {', '.join(s.name for s in self.scored)}")


def _reasons(harmful: NDArray[np.bool_], flagged: NDArray[np.bool_]) -> dict[str, str]:
    """Metrics that these rows cannot tell, and why."""
    if not len(harmful):
        return dict.fromkeys(METRICS, "no text counts")
    if not harmful.any():
        return dict.fromkeys([m for m in METRICS if m != "false_positive_rate"], "no text is labelled harmful")
    if harmful.all():
        return dict.fromkeys([m for m in METRICS if m not in ("recall", "f1")], "no text is labelled harmless")
    return {} if flagged.any() else {"precision": "no text is flagged"}
