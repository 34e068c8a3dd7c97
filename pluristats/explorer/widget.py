"""The widget: holds the fit that is seen, answers what the browser asks, and shows a table where widgets do not run."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import anywidget
import numpy as np
import pandas as pd
import traitlets

from pluristats.display.labels import display_label
from pluristats.display.shown import SIMULATED, Displayed, Shown
from pluristats.display.text import one_line
from pluristats.engine.result import Array, Factor
from pluristats.errors import PluristatsError
from pluristats.explorer.carriers import carriers, weights_of
from pluristats.explorer.code import code_of
from pluristats.explorer.coefficients import Coefficients, View, coefficients, group_name
from pluristats.explorer.partial import interactions, partial_effect
from pluristats.explorer.refit import engines, refit, structure_of, structures
from pluristats.explorer.rows import fitted_rows
from pluristats.explorer.subject import Subject
from pluristats.formula import RandomTerm, grouping_factor
from pluristats.models import LmerFit
from pluristats.models.display import remarks
from pluristats.models.lmer import Engine

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FRONT = Path(__file__).parent / "front"
# One module in the browser, as a widget's cannot import others; each file uses those before it.
_MODULE = "\n".join(
    (FRONT / f"{name}.js").read_text(encoding="utf-8") for name in ("dom", "view", "forest", "panels", "explore")
)
TOP = 10
UNITS = ("annotator", "prompt")
_LONGEST = 300


class Explorer(anywidget.AnyWidget, Displayed):
    """Coefficients of a fit, to sort, filter, refit and take apart; made by :func:`pluristats.explorer.explore`.

    The browser sorts and filters by itself and says in ``filter`` what is seen; it asks for refits, partial effects,
    carriers and code by messages. No message runs code or names a file.
    """

    _esm = _MODULE
    _css = FRONT / "explore.css"
    state = traitlets.Dict().tag(sync=True)
    filter = traitlets.Dict().tag(sync=True)

    def __init__(self, subject: Subject, view: View, conf_level: float = 0.95) -> None:
        self._subject = subject
        self._conf_level = conf_level
        self._fit = subject.fit
        self._structure = structure_of(subject.fit)
        self._before: dict[str, float] = {}
        self._weights: dict[int, Array] = {}
        self._rows = self._coefficients()
        super().__init__(state=self._state(), filter=_filter(view))
        self.on_msg(self._answer)

    # --- what is seen -------------------------------------------------------------------------------------------

    @property
    def fit(self) -> LmerFit:
        """The fit that is seen; after "none" as the random part, one without random effects."""
        return self._fit

    @property
    def view(self) -> View:
        """Which rows are seen, and in which order."""
        return View(**self.filter)

    def table(self) -> pd.DataFrame:
        """The rows that are seen, in their order."""
        return self._rows.table().iloc[self.view.positions(self._rows)].reset_index(drop=True)

    def figure(self, ax: Axes | None = None) -> Axes:
        """The rows that are seen, as :func:`pluristats.plot.forest` draws them.

        Raises
        ------
        ValueError
            No row but the intercept is seen.
        """
        from pluristats.plot import forest

        seen = self.table()
        return forest(seen[np.isfinite(seen["estimate"])], self._subject.groups, labels=self._subject.labels, ax=ax)

    def code(self) -> str:
        """Python that fits the model that is seen and opens this view."""
        return code_of(self._subject, self._fit, self.view, self._conf_level)

    def refit(
        self, structure: str | None = None, *, engine: Engine | None = None, reml: bool | None = None
    ) -> Explorer:
        """Fit anew; the estimates before stay visible as hollow marks. Arguments as :func:`pluristats.explorer.refit`.

        None keeps what is. Returns this widget.
        """
        structure = self._structure if structure is None else structure
        new = refit(
            self._subject.fit,
            structure,
            engine=cast(Engine, self._fit.engine) if engine is None else engine,
            reml=self._fit.reml if reml is None else reml,
            frame=self._subject.frame,
        )
        return self._see(new, structure)

    def rung(self, model: str) -> Explorer:
        """Switch to another model of the ladder, under the random part, engine and likelihood that are seen.

        Returns this widget; raises ValueError where there is no such model, or no ladder.
        """
        subject, seen = self._subject.with_model(model), self._fit
        same = (self._structure, seen.engine, seen.reml) == (structure_of(subject.fit), subject.fit.engine, False)
        new = subject.fit
        if not same:
            new = refit(new, self._structure, engine=cast(Engine, seen.engine), reml=seen.reml, frame=subject.frame)
        self._subject = subject
        return self._see(new, self._structure)

    def _see(self, fit: LmerFit, structure: str) -> Explorer:
        """Another fit; what was seen before stays as hollow marks."""
        self._before = dict(zip(self._rows.terms, self._rows.estimate.tolist(), strict=True))
        self._fit, self._structure, self._weights = fit, structure, {}
        self._rows = self._coefficients()
        self.state = self._state()
        return self

    # --- what the browser gets ----------------------------------------------------------------------------------

    def _coefficients(self) -> Coefficients:
        """Rows of the fit, and of candidates that a selection left out."""
        s = self._subject
        rows = coefficients(self._fit, s.groups, s.labels, self._conf_level)
        absent = [] if s.path is None else [term for term in s.path.terms if term not in set(rows.terms)]
        if not absent:
            return rows
        nan = np.full(len(absent), np.nan)
        return Coefficients(
            (*rows.terms, *absent),
            (*rows.labels, *(display_label(term, s.labels) for term in absent)),
            (*rows.groups, *(group_name(term, s.groups) for term in absent)),
            *(np.append(v, nan) for v in (rows.estimate, rows.std_error, rows.low, rows.high, rows.p_value)),
        )

    def _state(self) -> dict[str, Any]:
        rows, s, fit = self._rows, self._subject, self._fit
        numbers = (rows.estimate, rows.std_error, rows.low, rows.high, rows.p_value)
        kind = "Least squares" if not fit.result.random else "REML" if fit.reml else "Maximum likelihood"
        told = [line for block in remarks(fit) for line in block.lines]
        own = {name for r in fit.result.random for name in r.factor.split(":")}
        left_out = [factor.name for factor in self._factors() if factor.name in UNITS and factor.name not in own]
        if left_out:
            told.append(
                f"No random intercept of {' and '.join(left_out)}: ratings of one {' or '.join(left_out)} are treated "
                "as independent, so that standard errors of what varies only between them are too small."
            )
        return {
            "title": _text(fit.formula),
            "line": f"{kind}, {fit.engine} engine, {fit.nobs:,} rows, log-likelihood {fit.loglik:,.2f}",
            "simulated": SIMULATED if fit.simulated else "",
            "warnings": [_text(line) for line in dict.fromkeys([*s.warnings, *told])],
            "level": f"{100 * self._conf_level:g}%",
            "rows": [
                {"term": _text(t), "label": _text(label), "group": _text(g), "v": [_number(float(x)) for x in values]}
                for t, label, g, *values in zip(rows.terms, rows.labels, rows.groups, *numbers, strict=True)
            ],
            "before": [_number(self._before.get(term, math.nan)) for term in rows.terms],
            "structures": [_text(name) for name in structures(self._subject.fit, s.frame)],
            "structure": _text(self._structure),
            "engines": list(engines()),
            "engine": fit.engine,
            "reml": fit.reml,
            "models": []
            if s.rungs is None
            else [_text(f"{name}: {terms}")[:100] for name, terms in s.rungs.formulas.items()],
            "model": 0 if s.rungs is None else list(s.rungs.formulas).index(s.rungs.model),
            "path": self._path(),
            "interactions": [
                " × ".join(_text(display_label(name, s.labels)) for name in pair) for pair in interactions(fit)
            ],
        }

    def _path(self) -> dict[str, Any] | None:
        path = self._subject.path
        if path is None:
            return None
        place = {term: i for i, term in enumerate(path.terms)}
        return {
            "lambdas": [_number(float(v)) for v in path.lambdas],
            "position": int(path.position),
            "values": [
                [_number(float(v)) for v in path.coefficients[place[term]]] if term in place else None
                for term in self._rows.terms
            ],
        }

    def _answer(self, _: Any, content: Any, __: Any) -> None:
        """Answer one message; what cannot be done is said in a sentence."""
        kind = content.get("type") if isinstance(content, dict) else None
        start = time.perf_counter()
        try:
            answer = self._answer_to(kind, content)
        except (PluristatsError, ValueError, TypeError, KeyError, IndexError) as error:
            answer = {"type": "error", "text": _text(error)}
        self.send({**answer, "request": content.get("request"), "ms": 1e3 * (time.perf_counter() - start)})

    def _answer_to(self, kind: object, content: dict[str, Any]) -> dict[str, Any]:
        if kind == "refit":
            names = structures(self._subject.fit, self._subject.frame)
            self.refit(names[int(content["structure"])], engine=content["engine"], reml=bool(content["reml"]))
            return {"type": "refitted"}
        if kind == "rung" and self._subject.rungs is not None:
            self.rung(list(self._subject.rungs.formulas)[int(content["model"])])
            return {"type": "refitted"}
        if kind == "carriers":
            return {"type": "carriers", "row": int(content["row"]), "factors": self._carriers(int(content["row"]))}
        if kind == "partial":
            return {"type": "partial", **self._partial(int(content["pair"]))}
        if kind == "code":
            return {"type": "code", "text": self.code()}
        raise ValueError(f"The explorer does not know the message {kind!r}.")

    def _partial(self, pair: int) -> dict[str, Any]:
        moderator, feature = interactions(self._fit)[pair]
        found = partial_effect(self._fit, moderator, feature, self._subject.frame, self._conf_level)
        names = [_text(display_label(name, self._subject.labels)) for name in (moderator, feature)]
        return {
            "moderator": names[0],
            "feature": names[1],
            "x": found.x.tolist(),
            "lines": [
                {"value": float(v), "y": y.tolist(), "low": low.tolist(), "high": high.tolist()}
                for v, y, low, high in zip(found.values, found.estimate, found.low, found.high, strict=True)
            ],
        }

    def _carriers(self, row: int) -> list[dict[str, Any]]:
        if not 0 <= row < len(self._fit.terms):
            raise ValueError("The selection left this column out: nothing carries it.")
        problem = self._fit.problem
        if row not in self._weights:
            self._weights = {row: weights_of(problem, self._fit.result, row)}
        out = []
        for factor in self._factors():
            found = carriers(problem, self._weights[row], factor.name, factor.codes, factor.levels, TOP)
            out.append(
                {
                    "factor": _text(factor.name),
                    "count": len(factor.levels),
                    "levels": [
                        {
                            "level": _text(level),
                            "text": _text(self._subject.texts.get(level, "")) if factor.name == "prompt" else "",
                            "value": float(value),
                            "rows": int(n),
                        }
                        for level, value, n in zip(found.levels, found.contribution, found.n_rows, strict=True)
                    ],
                }
            )
        return out

    def _factors(self) -> list[Factor]:
        """Prompts and annotators first, then the fit's other factors."""
        own = {factor.name: factor for factor in self._subject.fit.problem.factors}
        frame = self._subject.frame
        for name in ("prompt", "annotator"):
            if name not in own and frame is not None and name in frame.columns:
                own[name] = grouping_factor(RandomTerm("1", (name,)), fitted_rows(self._subject.fit, frame))
        first = [own.pop(name) for name in ("prompt", "annotator") if name in own]
        return [*first, *own.values()]

    # --- where widgets do not run -------------------------------------------------------------------------------

    def _shown(self) -> Shown:
        state = self.state
        table = self.table()[["label", "group", "estimate", "std_error", "conf_low", "conf_high", "p_value"]]
        return Shown(
            title=f"Coefficients of {self._fit.formula}",
            simulated=self._fit.simulated,
            warnings=tuple(state["warnings"]),
            lines=(state["line"],),
            tables=(("Coefficients", table),),
        )

    def _repr_mimebundle_(self, **options: Any) -> Any:
        """The widget, with the table for places that do not run it."""
        found = super()._repr_mimebundle_(**options)
        table = {"text/html": self._repr_html_(), "text/markdown": self._repr_markdown_(), "text/plain": repr(self)}
        if isinstance(found, tuple):
            return {**found[0], **table}, found[1]
        return {**(found or {}), **table}

    def __repr__(self) -> str:
        head = f"{SIMULATED} " if self._fit.simulated else ""
        seen = len(self.view.positions(self._rows))
        return f"{head}Explorer of {len(self._rows.terms)} coefficients, {seen} shown: {self._fit!r}"


def _filter(view: View) -> dict[str, Any]:
    return {**view.__dict__, "groups": None if view.groups is None else list(view.groups)}


def _number(value: float) -> float | None:
    """Six significant digits; None where there is no number, as JSON has no NaN."""
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _text(text: object) -> str:
    """Untrusted text as the browser gets it: one line without anything invisible, at most 300 characters."""
    line = one_line(str(text)[: 4 * _LONGEST])
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"
