"""What an evaluation found: scores with intervals, paired comparisons, calibration, and every prediction."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from pluristats.display.shown import Displayed, Shown, mark
from pluristats.engine.result import Array
from pluristats.errors import EvaluationError
from pluristats.evaluation import metrics
from pluristats.evaluation.data import Table
from pluristats.evaluation.judged import Judged, Skipped
from pluristats.evaluation.protocol import SETTINGS, Split
from pluristats.evaluation.published import published
from pluristats.evaluation.resample import Draws, draw, interval, resampled_means

COLUMNS = ["method", "setting", "mae", "mae_lo", "mae_hi", "rmse", "spearman", "crps"]
COLUMNS += ["n_annotators", "n_refused", "note"]
"""Columns of the table."""

# Names of methods that know no person.
_NOBODYS = r"(?:.*-aggregate|uniform-random|constant-.*|(?:oracle-)?prompt-mean)$"


@dataclass(frozen=True, eq=False)
class Evaluation(Displayed):
    """Outcome of :func:`pluristats.evaluate`.

    Parameters
    ----------
    study, simulated
        Name, and whether its ratings are simulated: then no number here says anything about people.
    seed, draws, refusals
        As given.
    splits
        Of all settings.
    table
        The ratings.
    judged, skipped
        Methods that ran, by setting, and those that could not.
    """

    study: str
    simulated: bool
    seed: int
    draws: int
    refusals: str
    splits: tuple[Split, ...] = field(repr=False)
    table: Table = field(repr=False)
    judged: tuple[Judged, ...] = field(repr=False)
    skipped: tuple[Skipped, ...] = ()

    def __repr__(self) -> str:
        settings = dict.fromkeys(j.setting for j in self.judged)
        simulated = mark(self.simulated)
        return (
            f"<Evaluation of {self.study!r}{simulated}: {len({j.method for j in self.judged})} methods in "
            f"{', '.join(settings) or 'no setting'}; {len(self.splits)} splits, {len(self.skipped)} skipped>"
        )

    def _shown(self) -> Shown:
        skipped = tuple(f"Skipped: {each.method} ({each.setting}): {each.reason}" for each in self.skipped)
        return Shown(
            title=f"Evaluation on {self.study}",
            simulated=self.simulated,
            lines=(f"{len(self.splits)} splits, seed {self.seed}; settings are not comparable with each other.",),
            tables=(("Error of each method", self.tidy().query("n_annotators > 0")),),
            notes=skipped,
        )

    def tidy(self, *, conf_level: float = 0.95) -> pd.DataFrame:
        """One row a method and setting; settings are not comparable with each other.

        Formula: mae = mean over splits of the mean over annotators of their mean absolute error; rmse and spearman
        within annotators, averaged alike; crps a cell's, averaged alike. Interval: percentiles over draws of annotators
        and prompts (:func:`~pluristats.evaluation.resample.resampled_means`).

        Returns
        -------
        DataFrame
            method, setting, mae, mae_lo, mae_hi, rmse, spearman (NaN for predictions that rank nothing), crps (NaN
            without a distribution), n_annotators (with a scored rating), n_refused (cells, all splits), note.
            Skipped methods have a row without numbers and the reason as note.
        """
        rows = [self._row(judged, conf_level) for judged in self.judged]
        none = [np.nan] * 6
        rows += [[s.method, s.setting, *none, 0, 0, f"skipped: {s.reason}"] for s in self.skipped]
        table = pd.DataFrame(rows, columns=COLUMNS).astype({"n_annotators": int, "n_refused": int})
        order = {setting: k for k, setting in enumerate(SETTINGS)}
        return table.sort_values("setting", key=lambda s: s.map(order), kind="stable", ignore_index=True)

    def predictions(self) -> pd.DataFrame:
        """One row a tested rating: split, annotator, prompt, method, setting, prediction (0-1), refused.

        A refused cell has no prediction, or 0.5, as :func:`pluristats.evaluate` was told.
        """
        people = np.array(self.table.annotators.labels, dtype=object)
        prompts = np.array(self.table.prompts.labels, dtype=object)
        parts = []
        for j in self.judged:
            s, i, k = np.nonzero(~np.isnan(j.point) | j.refused)
            parts.append(
                pd.DataFrame(
                    {
                        "split": np.array(j.splits)[s],
                        "annotator": people[i],
                        "prompt": prompts[k],
                        "method": j.method,
                        "setting": j.setting,
                        "prediction": j.point[s, i, k],
                        "refused": j.refused[s, i, k],
                    }
                )
            )
        names = ["split", "annotator", "prompt", "method", "setting", "prediction", "refused"]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=names)

    def compare(self, a: str, b: str, *, setting: str | None = None, conf_level: float = 0.95) -> pd.DataFrame:
        """Paired difference of two methods' mean absolute error, a - b, with interval over the same draws.

        Only cells that both predicted count, so a refusal of one is no advantage.

        Parameters
        ----------
        a, b
            Names of methods.
        setting
            One setting; None is every setting in which both were judged on the same splits.

        Returns
        -------
        DataFrame
            setting, a, b, mae_a, mae_b, difference, lo, hi, share_a_better (of annotators, over all splits),
            n_annotators.

        Raises
        ------
        EvaluationError
            A method that is not there, or no setting that both have.
        """
        for name in (a, b):
            self._named(name)
        rows = [
            self._difference(first, second, conf_level)
            for first in self._named(a)
            for second in self._named(b)
            if first.setting == second.setting and first.splits == second.splits and setting in (None, first.setting)
        ]
        if not rows:
            raise EvaluationError(f"{a!r} and {b!r} were not judged together{f' in {setting}' if setting else ''}")
        names = ["setting", "a", "b", "mae_a", "mae_b", "difference", "lo", "hi", "share_a_better", "n_annotators"]
        return pd.DataFrame(rows, columns=names)

    def joined(self, other: Evaluation) -> Evaluation:
        """The methods of two evaluations of the same study, which may have different splits.

        Raises
        ------
        EvaluationError
            They are of different ratings or seeds, or both have a method in a setting.
        """
        same = np.array_equal(self.table.ratings, other.table.ratings, equal_nan=True)
        if not same or (self.seed, self.draws, self.refusals) != (other.seed, other.draws, other.refusals):
            raise EvaluationError("evaluations are joined when study, seed, draws and refusals are the same")
        both = {(j.method, j.setting) for j in self.judged} & {(j.method, j.setting) for j in other.judged}
        if both:
            raise EvaluationError(f"both evaluations have {sorted(both)[0]}; leave it out of one")
        return replace(
            self,
            splits=tuple(dict.fromkeys((*self.splits, *other.splits))),
            judged=(*self.judged, *other.judged),
            skipped=(*self.skipped, *other.skipped),
        )

    def by_annotator(self) -> pd.DataFrame:
        """One row a method, setting and annotator: mae over splits, and n (scored ratings, all splits)."""
        parts = []
        for j in self.judged:
            error = self._errors(j.point)
            per = np.array([metrics.mae(self.table.ratings, point) for point in j.point])
            parts.append(
                pd.DataFrame(
                    {
                        "method": j.method,
                        "setting": j.setting,
                        "annotator": self.table.annotators.labels,
                        "mae": _over_splits(per),
                        "n": (~np.isnan(error)).sum(axis=(0, 2)),
                    }
                )
            )
        names = ["method", "setting", "annotator", "mae", "n"]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=names)

    def by_prompt(self) -> pd.DataFrame:
        """One row a method, setting and prompt: how wrong it is there, and how far people are apart there.

        Returns
        -------
        DataFrame
            method, setting, prompt, mae (mean absolute error of the prompt's tested ratings, all splits; NaN where none
            was tested), n (of them), sd (standard deviation of all ratings of the prompt on 0-1, divisor n - 1; NaN for
            fewer than two).
        """
        ratings = self.table.ratings
        count = (~np.isnan(ratings)).sum(axis=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of prompts with one rating, which have no spread
            sd = np.where(count > 1, np.nanstd(ratings, axis=0, ddof=1), np.nan)
        parts = []
        for j in self.judged:
            error = self._errors(j.point)
            n = (~np.isnan(error)).sum(axis=(0, 1))
            mae = np.divide(np.nansum(error, axis=(0, 1)), n, out=np.full(len(n), np.nan), where=n > 0)
            columns = {"prompt": self.table.prompts.labels, "mae": mae, "n": n, "sd": sd}
            parts.append(pd.DataFrame({"method": j.method, "setting": j.setting, **columns}))
        names = ["method", "setting", "prompt", "mae", "n", "sd"]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=names)

    def calibration(self, method: str, setting: str, *, bins: int = 10) -> pd.DataFrame:
        """Whether ratings are as high as predicted: predictions in bins of equal width, and the mean rating in each.

        Returns
        -------
        DataFrame
            low, high (the bin), predicted (mean), rating (mean), n (cells, all splits).
        """
        j = self._one(method, setting)
        rating = np.broadcast_to(self.table.ratings, j.point.shape)
        there = ~np.isnan(j.point)
        edges = np.linspace(0, 1, bins + 1)
        which = np.clip(np.searchsorted(edges, j.point[there], side="right") - 1, 0, bins - 1)
        n = np.bincount(which, minlength=bins)
        with np.errstate(invalid="ignore"):
            predicted = np.bincount(which, j.point[there], bins) / n
            observed = np.bincount(which, rating[there], bins) / n
        return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "predicted": predicted, "rating": observed, "n": n})

    def pit(self, method: str, setting: str, *, levels: int = 20) -> pd.DataFrame:
        """Whether predicted distributions are calibrated: share of ratings below each of their levels.

        Returns
        -------
        DataFrame
            level, share (equal to the level when calibrated; :func:`~pluristats.evaluation.metrics.pit_below`).

        Raises
        ------
        EvaluationError
            The method gives no distribution.
        """
        j = self._one(method, setting)
        if j.under is None or j.upto is None:
            raise EvaluationError(f"{method!r} predicts numbers, not distributions; calibration() takes it")
        level = np.arange(1, levels) / levels
        return pd.DataFrame({"level": level, "share": metrics.pit_below(j.under, j.upto, level)})

    def published(self) -> pd.DataFrame:
        """Our rows and the paper's: method, setting, personalised, aggregate, source, and ends of intervals.

        A method named ``…-aggregate``, one whose note begins so, and a baseline that knows no person (constants, random
        numbers, prompt means) stand in the column ``aggregate``. Ours of
        ``known-prompts`` and ``oracle`` are not comparable with the paper's rows, which saw nobody's ratings of the
        test prompts.

        Returns
        -------
        DataFrame
            method, setting, personalised, aggregate (mean absolute errors, NaN where there is none), source
            (``published``, ``here``, ``simulated data``, ``simulated answers``), personalised_lo, personalised_hi,
            aggregate_lo, aggregate_hi (as :meth:`tidy`; NaN for the paper's).
        """
        ours = self.tidy().dropna(subset="mae")
        aggregate = ours["method"].str.match(_NOBODYS) | ours["note"].str.startswith("aggregate")
        made_up = ours["note"].str.contains("SIMULATED")
        source = "simulated data" if self.simulated else np.where(made_up, "simulated answers", "here")
        rows = pd.DataFrame(
            {
                "method": ours["method"].str.removesuffix("-aggregate"),
                "setting": ours["setting"],
                "personalised": ours["mae"].where(~aggregate),
                "aggregate": ours["mae"].where(aggregate),
                "source": source,
                **{f"personalised_{end}": ours[f"mae_{end}"].where(~aggregate) for end in ("lo", "hi")},
                **{f"aggregate_{end}": ours[f"mae_{end}"].where(aggregate) for end in ("lo", "hi")},
            }
        )
        merged = rows.groupby(["method", "setting"], sort=False, as_index=False).first()
        theirs = published().reindex(columns=rows.columns)
        return pd.concat([theirs, merged], ignore_index=True) if len(merged) else theirs

    @cached_property
    def _draws(self) -> Draws:
        return draw(len(self.table.annotators), len(self.table.prompts), self.draws, self.seed)

    def _errors(self, point: Array) -> Array:
        return np.abs(self.table.ratings - point)

    def _row(self, j: Judged, conf_level: float) -> list[object]:
        errors = self._errors(j.point)
        low, high = interval(resampled_means(errors, self._draws), conf_level)
        scored = (~np.isnan(errors)).any(axis=(0, 2))
        crps = np.nan if j.crps is None else self._mean(lambda _, cell: metrics.row_mean(cell), j.crps)
        return [
            j.method,
            j.setting,
            self._mean(metrics.mae, j.point),
            low,
            high,
            self._mean(metrics.rmse, j.point),
            self._mean(metrics.spearman, j.point),
            crps,
            int(scored.sum()),
            int(j.refused.sum()),
            j.note,
        ]

    def _mean(self, statistic: Callable[[Array, Array], Array], cells: Array) -> float:
        """Mean over splits of the mean over annotators."""
        per_split = [metrics.mean_over_annotators(statistic(self.table.ratings, cell)) for cell in cells]
        return float(np.mean(per_split)) if np.isfinite(per_split).all() else float("nan")

    def _difference(self, a: Judged, b: Judged, conf_level: float) -> list[object]:
        both = ~(np.isnan(a.point) | np.isnan(b.point))
        first, second = (np.where(both, self._errors(j.point), np.nan) for j in (a, b))
        low, high = interval(resampled_means(first, self._draws) - resampled_means(second, self._draws), conf_level)
        means = [np.mean([metrics.mean_over_annotators(metrics.row_mean(e)) for e in each]) for each in (first, second)]
        people = [_over_splits(np.array([metrics.row_mean(e) for e in each])) for each in (first, second)]
        known = ~np.isnan(people[0])
        better = float((people[0] < people[1])[known].mean()) if known.any() else float("nan")
        return [a.setting, a.method, b.method, *means, means[0] - means[1], low, high, better, int(known.sum())]

    def _named(self, method: str) -> list[Judged]:
        found = [j for j in self.judged if j.method == method]
        if not found:
            skipped = next((s.reason for s in self.skipped if s.method == method), None)
            names = ", ".join(dict.fromkeys(j.method for j in self.judged))
            raise EvaluationError(
                f"method {method!r} was skipped: {skipped}" if skipped else f"no method {method!r} here; {names} are"
            )
        return found

    def _one(self, method: str, setting: str) -> Judged:
        found = [j for j in self._named(method) if j.setting == setting]
        if not found:
            raise EvaluationError(f"method {method!r} was not judged in the setting {setting!r}")
        return found[0]


def _over_splits(per: Array) -> Array:
    """Mean over splits of each annotator's value, shape (n,), over those splits that have one."""
    there = ~np.isnan(per)
    count = there.sum(axis=0)
    total = np.where(there, per, 0.0).sum(axis=0)
    return np.divide(total, count, out=np.full(per.shape[1], np.nan), where=count > 0)
