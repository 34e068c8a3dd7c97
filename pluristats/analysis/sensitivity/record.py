"""What likelihoods say of the same terms, side by side."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import pandas as pd

from pluristats.analysis.sensitivity.outcome import Categories
from pluristats.analysis.sensitivity.refit import Refit
from pluristats.display.shown import Displayed, Shown
from pluristats.models.multiplicity import Adjust


@dataclass(frozen=True, eq=False)
class Sensitivity(Displayed):
    """The terms of one fit under several likelihoods; made by :func:`pluristats.likelihood_sensitivity`.

    Parameters
    ----------
    name
        ``RQ1``, … of a question, else empty.
    formula
        Of the fit at hand.
    refits
        The fit at hand first; one a likelihood and kind.
    categories
        What ``ordinal`` was given; None where there are none.
    adjust, alpha
        The rule of significance: p-values adjusted over the terms of one likelihood, at most alpha.
    caveats
        What a reader must know before quoting the numbers.
    simulated
        Whether the data say of themselves that they are simulated.
    """

    name: str
    formula: str
    refits: tuple[Refit, ...] = field(repr=False)
    categories: Categories | None = field(repr=False)
    adjust: Adjust | None
    alpha: float
    caveats: tuple[str, ...] = field(repr=False)
    simulated: bool = False

    def tidy(self) -> pd.DataFrame:
        """One row a likelihood and term.

        Returns
        -------
        DataFrame
            ``term``, ``likelihood``, ``kind``, ``engine``; ``estimate`` and ``std_error`` on the likelihood's own
            scale; ``statistic`` (their ratio, which does not depend on the scale), ``p_value``, ``p_adjusted``,
            ``significant``; ``marginal_effect``, rating points for one more unit of the column with the others held
            (a product's column too), on average over the rows; ``reference``, the fit that it is compared with, and
            whether sign and significance are its (missing where one of the two could not be fitted).
        """
        return self._tidy.copy()

    @cached_property
    def _tidy(self) -> pd.DataFrame:
        tables = {refit.name: refit.table(self.adjust) for refit in self.refits}
        for table in tables.values():
            known = table["p_adjusted"].notna()
            table["significant"] = (table["p_adjusted"] <= self.alpha).astype("boolean").where(known)
        for refit in self.refits:
            table, against = tables[refit.name], self.reference(refit)
            table["reference"] = against or ""
            other = tables[against or refit.name]
            both = table["estimate"].notna() & other["estimate"].notna() & bool(against)
            sign = np.sign(table["estimate"]) == np.sign(other["estimate"])
            table["same_sign"] = sign.astype("boolean").where(both)
            same = table["significant"] == other["significant"]  # missing where either is
            table["same_significance"] = same.where(both)
        return pd.concat(tables.values(), ignore_index=True)

    def reference(self, refit: Refit) -> str | None:
        """Name of the fit that one is compared with: the Gaussian of its kind; None for the fit at hand."""
        if refit is self.refits[0]:
            return None
        return "gaussian (mixed)" if refit.likelihood == "gaussian" else f"gaussian ({refit.kind})"

    def changes(self) -> pd.DataFrame:
        """One row a changed conclusion.

        Returns
        -------
        DataFrame
            ``term``, ``likelihood``, ``kind``, ``reference``, ``change`` (``"sign"``, ``"lost"`` or ``"gained"``
            significance; a sign counts where either fit is significant), ``statistic``, ``p_adjusted`` and the same
            of the reference.
        """
        table = self._tidy
        values = ["statistic", "p_adjusted", "significant"]
        key = table["likelihood"] + " (" + table["kind"] + ")"
        other = table.assign(reference=key)[["reference", "term", *values]]
        joined = table[table["reference"] != ""].merge(other, on=["reference", "term"], suffixes=("", "_reference"))
        now, then = (joined[f"significant{end}"].fillna(False).astype(bool) for end in ("", "_reference"))
        sign = ~joined["same_sign"].fillna(True).astype(bool) & (now | then)
        moved = ~joined["same_significance"].fillna(True).astype(bool)
        # A term that is significant either way round counts as a change of sign, not as lost.
        joined["change"] = np.select([sign, moved & then, moved & now], ["sign", "lost", "gained"], "")
        columns = ["term", "likelihood", "kind", "reference", "change", "statistic", "p_adjusted"]
        columns += ["statistic_reference", "p_adjusted_reference"]
        return joined.loc[joined["change"] != "", columns].reset_index(drop=True)

    def glance(self) -> pd.DataFrame:
        """One row a likelihood.

        Returns
        -------
        DataFrame
            ``likelihood``, ``kind``, ``engine``, ``reason`` (why this engine), ``status``, ``nobs``, ``terms``,
            ``significant``; of the comparison with ``reference``: ``same_sign``, ``same_significance`` (terms), and
            ``ratio``, the median of |z| over the reference's; ``seconds``.
        """
        rows = []
        at = {refit.name: refit for refit in self.refits}
        for refit in self.refits:
            part = self._tidy[(self._tidy["likelihood"] == refit.likelihood) & (self._tidy["kind"] == refit.kind)]
            against = self.reference(refit)
            compared = against is not None and part["same_sign"].notna().any()
            rows.append(
                {
                    "likelihood": refit.likelihood,
                    "kind": refit.kind,
                    "engine": refit.engine,
                    "reason": refit.reason,
                    "status": refit.status,
                    "nobs": refit.nobs,
                    "terms": len(refit.terms),
                    "significant": int(part["significant"].sum()) if part["significant"].notna().any() else pd.NA,
                    "reference": against or "",
                    "same_sign": int(part["same_sign"].sum()) if compared else pd.NA,
                    "same_significance": int(part["same_significance"].sum()) if compared else pd.NA,
                    "ratio": _ratio(refit, at[against]) if compared and against else np.nan,
                    "seconds": refit.seconds,
                }
            )
        return pd.DataFrame(rows).astype(dict.fromkeys(("significant", "same_sign", "same_significance"), "Int64"))

    def sentences(self) -> list[str]:
        """What changes, one sentence a likelihood; and what each leaves out."""
        changes = self.changes()
        said = []
        for refit, row in zip(self.refits[1:], self.glance().to_dict("records")[1:], strict=True):
            if refit.status != "fitted":
                said.append(f"{refit.name}: not fitted. {refit.notes[0]}")
                continue
            part = changes[(changes["likelihood"] == refit.likelihood) & (changes["kind"] == refit.kind)]
            if pd.isna(row["same_sign"]):
                said.append(f"{refit.name}: fitted, but {row['reference']} was not, so nothing to compare with.")
                continue
            moved = [
                f"{words}: {_listed(part, kind)}" for kind, words in _WORDS.items() if (part["change"] == kind).any()
            ]
            said.append(
                f"{refit.name}, {refit.engine}, against {row['reference']}: {row['same_sign']} of {row['terms']} signs "
                f"agree; {'; '.join(moved) or 'no conclusion changes'}."
            )
        return said

    def notes(self) -> list[str]:
        """What each likelihood leaves out, and which categories have no rating."""
        whose: dict[str, list[str]] = {}
        for refit in self.refits:
            for note in refit.notes if refit.status == "fitted" else ():
                whose.setdefault(note, []).append(refit.name)
        said = [f"{', '.join(names)}: {note}" for note, names in whose.items()]
        if self.categories is not None and self.categories.unused:
            said.append(f"Categories without a rating, left out: {', '.join(self.categories.unused)}.")
        return said

    def summary(self) -> str:
        """Rule, what changes, the table of likelihoods, notes and caveats."""
        columns = ["likelihood", "kind", "engine", "status", "significant", "same_sign", "same_significance", "ratio"]
        table = self.glance()[columns].round({"ratio": 2}).to_string(index=False, na_rep="-")
        return "\n".join([*self._head(), *self.sentences(), "", table, "", *self.notes(), *self.caveats])

    def _head(self) -> list[str]:
        rule = {"holm": "adjusted by Holm", "bh": "adjusted by Benjamini & Hochberg", None: "not adjusted"}
        head = ["SIMULATED DATA: these numbers say nothing about people."] if self.simulated else []
        title = f"{self.name}: {self.formula}" if self.name else self.formula
        return [*head, title, f"Significant: p ≤ {self.alpha:g}, {rule[self.adjust]} over the terms."]

    def _shown(self) -> Shown:
        lines = (*self._head()[self.simulated :], *self.sentences(), *self.notes(), *self.caveats)
        return Shown(simulated=self.simulated, lines=lines, tables=(("Likelihoods", self.glance()),))


_WORDS = {
    "sign": "sign changes",
    "lost": "significance lost",
    "gained": "significance gained",
}


def _listed(changes: pd.DataFrame, change: str, most: int = 5) -> str:
    terms = changes.loc[changes["change"] == change, "term"].astype(str).tolist()
    tail = f" and {len(terms) - most} more" if len(terms) > most else ""
    return ", ".join(terms[:most]) + tail


def _ratio(refit: Refit, other: Refit) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.abs(refit.estimate / refit.std_error) / np.abs(other.estimate / other.std_error)
    return float(np.nanmedian(ratio)) if np.isfinite(ratio).any() else float("nan")
