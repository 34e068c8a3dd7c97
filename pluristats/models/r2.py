"""Variance explained by a mixed model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pluristats.display.shown import Displayed, Shown, mark
from pluristats.engine.result import Array


@dataclass(frozen=True)
class R2(Displayed):
    """Marginal and conditional R² of a linear mixed model.

    Parameters
    ----------
    marginal
        Var(Xβ) / (Var(Xβ) + Σ_k σ_k² + σ²): explained by the fixed effects.
    conditional
        (Var(Xβ) + Σ_k σ_k²) / (the same): explained by fixed and random effects together.
    simulated
        Whether the fit's data say of themselves that they are simulated.
    """

    marginal: float
    conditional: float
    simulated: bool = False

    def __repr__(self) -> str:
        simulated = mark(self.simulated)
        return f"<R2: marginal {self.marginal:.4f}, conditional {self.conditional:.4f}{simulated}>"

    def _shown(self) -> Shown:
        import pandas as pd

        rows = [
            ("marginal (fixed effects)", self.marginal),
            ("conditional (fixed and random effects)", self.conditional),
        ]
        return Shown(
            "", self.simulated, tables=(("R² (Nakagawa & Schielzeth)", pd.DataFrame(rows, columns=["", "R²"])),)
        )


def nakagawa_r2(explained: float, components: Array, residual: float) -> R2:
    """R² of Nakagawa & Schielzeth (2013, Methods Ecol. Evol. 4, eqs. 26 and 30); slopes as Johnson (2014, 5, eq. 11).

    Parameters
    ----------
    explained
        Variance of Xβ over the rows, with n - 1 as R's ``var``.
    components
        Variances of the random intercepts, with slopes the mean of z'Σ_k z over the rows, shape (K,).
    residual
        Residual variance.

    Notes
    -----
    With no fixed effects but the intercept the marginal R² is 0.
    """
    random = float(np.sum(components))
    total = explained + random + residual
    return R2(marginal=explained / total, conditional=(explained + random) / total)
