"""Simulate a study of the release's shape with known truth."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pluristats.errors import PluristatsError
from pluristats.study.coding import code_column, zscore
from pluristats.study.invent import invent_annotators, invent_prompts
from pluristats.study.load import readable, renamed
from pluristats.study.record import FrozenMap, Source, Truth
from pluristats.study.release import ACTIONS, EFFECTS, RELEASE, TRAITS, VALUES
from pluristats.study.study import Study

Array = NDArray[np.float64]


def simulate_study(
    n_annotators: int = 100,
    n_prompts: int = 150,
    seed: int = 0,
    *,
    n_features: int = 20,
    n_traits: int = 6,
    n_interactions: int = 8,
    features_variance: float = 0.20,
    harm_variance: float = 0.17,
    traits_variance: float = 0.015,
    interactions_variance: float = 0.02,
    annotator_variance: float = 0.12,
    prompt_variance: float = 0.10,
    residual_variance: float = 0.375,
    points: float = 50.0,
    unsure: float = 0.0183,
    rounding: float = 0.26,
) -> Study:
    """Simulate ratings y_ij = heap(clip(50 + points · latent_ij, 0, 100)) with known coefficients and variances.

    latent_ij = Σ_k β_k x_jk + Σ_l γ_l t_il + Σ_m δ_m t_il x_jk + a_i + b_j + e_ij, with x and t the frame's columns
    (z-scored; factors as released), a, b, e normal. The default variances add up to 1 and give about the release's
    rating distribution and variance shares.

    What the analysis sees is not the latent scale: answers beyond the scale's ends are censored to 0 and 100, and
    every annotator rounds a share of the answers to multiples of 5 or 10. Both attenuate the truth: on z-scored
    ratings expect coefficients and standard deviations somewhat smaller than ``points`` · truth / sd(rating_raw).

    Parameters
    ----------
    n_annotators, n_prompts
        Size, at least 4 each.
    seed
        Of the random numbers; the same arguments give the same study.
    n_features, n_traits, n_interactions
        How many prompt features, traits and demographic × action products have a coefficient other than zero (at
        most as many as there are that vary). Signs are random, magnitudes within a factor of three of each other.
    features_variance, harm_variance, traits_variance, interactions_variance
        Latent variance that the fixed effects explain, each sum scaled to it exactly.
    annotator_variance, prompt_variance, residual_variance
        Latent variances of the intercepts a, b and of e (of the distributions, not of the draws).
    points
        Rating points per latent unit.
    unsure
        Share of cells without a rating, from 0 to 0.5: more for some annotators, and for mid-harm prompts.
    rounding
        Average share of answers that an annotator rounds; it differs widely between annotators.

    Returns
    -------
    Study
        With ``truth``, ``simulated`` True, and the release's columns and labels. An annotator who did not answer a
        trait has its mean (0) in the latent score.

    Raises
    ------
    PluristatsError
        Arguments are out of their ranges.

    Notes
    -----
    Prompts of one seed share action and effect rows; texts are placeholders that say that they are simulated.
    """
    parameters = {name: value.item() if isinstance(value, np.generic) else value for name, value in locals().items()}
    _refuse_bad(parameters)
    rng = np.random.default_rng(seed)
    annotators = invent_annotators(n_annotators, rng)
    prompts = invent_prompts(n_prompts, rng)

    x = {name: zscore(prompts[name].to_numpy(dtype=np.float64)).values for name in (*ACTIONS, *EFFECTS, *VALUES)}
    t = _trait_columns(annotators)
    demographics = [coding.column for coding in TRAITS if coding.zscored]
    products = {f"{trait}:{action}": (t[trait], x[action]) for trait in demographics for action in ACTIONS}

    beta, from_features = _effects(_chosen(list(x), x, n_features, rng), x, features_variance, rng)
    gamma, from_traits = _effects(_chosen(list(t), t, n_traits, rng), t, traits_variance, rng)
    delta, from_products = _products(products, n_interactions, interactions_variance, rng)
    harm = zscore(prompts["harm_level"].to_numpy(dtype=np.float64)).values * math.sqrt(harm_variance)
    a = rng.normal(0.0, math.sqrt(annotator_variance), n_annotators)
    b = rng.normal(0.0, math.sqrt(prompt_variance), n_prompts)
    e = rng.normal(0.0, math.sqrt(residual_variance), (n_annotators, n_prompts))
    latent = (from_traits + a)[:, None] + (from_features + harm + b)[None, :] + from_products + e

    rating = _heap(np.clip(50.0 + points * latent, 0.0, 100.0), rounding, rng)
    rating[_unsure_cells(prompts["harm_level"].to_numpy(dtype=np.float64), n_annotators, unsure, rng)] = np.nan
    trial = np.array([rng.permutation(n_prompts) for _ in range(n_annotators)])

    truth = Truth(
        intercept=0.0,
        fixed=FrozenMap({**beta, **gamma, "harm_level": math.sqrt(harm_variance)}),
        interactions=FrozenMap(delta),
        variances=FrozenMap(
            {"annotator": annotator_variance, "prompt": prompt_variance, "residual": residual_variance}
        ),
        points=points,
        annotator_intercepts=tuple(a.tolist()),
        prompt_intercepts=tuple(b.tolist()),
        parameters=FrozenMap(parameters),
    )
    features = {"actions": ACTIONS, "effects": EFFECTS, "values": VALUES}
    topics = {name: f"Simulated value topic {i}" for i, name in enumerate(VALUES)}
    return Study(
        name=f"simulated study (seed {seed})",
        source=Source(None, "simulated", simulated=True, seed=seed),
        truth=truth,
        features=FrozenMap(features),
        codings=TRAITS,
        scale=RELEASE.scale,
        labels=FrozenMap({**readable(features, RELEASE), **topics}),
        sources=FrozenMap(renamed(RELEASE)),
        annotators_=annotators,
        prompts_=prompts,
        ratings_=pd.DataFrame(
            {
                "annotator": np.repeat(annotators["annotator"].to_numpy(), n_prompts),
                "prompt": np.tile(prompts["prompt"].to_numpy(), n_annotators),
                "rating": rating.reshape(-1),
                "trial": trial.reshape(-1).astype(np.float64),
            }
        ),
    )


def _trait_columns(annotators: pd.DataFrame) -> dict[str, Array]:
    """Trait columns as in the frame, with 0 where there is no answer."""
    columns = {}
    for coding in TRAITS:
        coded = code_column(coding, annotators[coding.column].tolist())
        columns[coding.column] = np.nan_to_num(zscore(coded).values if coding.zscored else coded)
    return columns


def _chosen(names: Sequence[str], columns: Mapping[str, Array], k: int, rng: np.random.Generator) -> list[str]:
    """Up to k names of columns that vary."""
    varying = [name for name in names if np.ptp(columns[name]) > 0]
    return [varying[i] for i in sorted(rng.choice(len(varying), size=min(k, len(varying)), replace=False))]


def _coefficients(names: Sequence[str], rng: np.random.Generator) -> Array:
    return rng.choice([-1.0, 1.0], size=len(names)) * rng.uniform(0.5, 1.5, size=len(names))


def _effects(
    names: Sequence[str], columns: Mapping[str, Array], variance: float, rng: np.random.Generator
) -> tuple[dict[str, float], Array]:
    """Coefficients of the named columns and their linear score, scaled to the variance."""
    n = len(next(iter(columns.values())))
    # Divided by each column's spread, so that a factor with sd 3.5 is no stronger than a z-scored trait.
    coefficients = _coefficients(names, rng) / np.array([columns[name].std() for name in names])
    score = sum((c * columns[name] for c, name in zip(coefficients, names, strict=True)), np.zeros(n))
    scale = math.sqrt(variance) / score.std() if score.std() > 0 else 0.0
    return dict(zip(names, (coefficients * scale).tolist(), strict=True)), score * scale


def _products(
    products: Mapping[str, tuple[Array, Array]], k: int, variance: float, rng: np.random.Generator
) -> tuple[dict[str, float], Array]:
    """Coefficients of k trait × action products and their score, shape (annotators, prompts)."""
    varying = [name for name, (trait, action) in products.items() if np.ptp(trait) > 0 and np.ptp(action) > 0]
    names = [varying[i] for i in sorted(rng.choice(len(varying), size=min(k, len(varying)), replace=False))]
    coefficients = _coefficients(names, rng)
    trait, action = next(iter(products.values()))
    score = np.zeros((trait.size, action.size))
    for coefficient, name in zip(coefficients, names, strict=True):
        score += coefficient * np.outer(*products[name])
    scale = math.sqrt(variance) / score.std() if score.std() > 0 else 0.0
    return dict(zip(names, (coefficients * scale).tolist(), strict=True)), score * scale


def _heap(ratings: Array, rounding: float, rng: np.random.Generator) -> Array:
    """Round to whole points, and a share of each annotator's answers to multiples of 5 or 10; shape (I, J)."""
    # A Beta with little mass in the middle: some annotators round almost everything, many almost nothing.
    share = rng.beta(1.2 * rounding, 1.2 * (1 - rounding), size=(ratings.shape[0], 1)) if 0 < rounding < 1 else rounding
    rounds = rng.uniform(size=ratings.shape) < share
    step = np.where(rng.uniform(size=ratings.shape) < 0.2, 10.0, 5.0)
    return np.where(rounds, np.round(ratings / step) * step, np.round(ratings))


def _unsure_cells(harm_level: Array, n_annotators: int, unsure: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Cells without a rating, shape (annotators, prompts): a few annotators give most, mid-harm prompts more."""
    mid = 0.25 + 1.0 - np.abs(2.0 * harm_level - 1.0)
    weight = rng.lognormal(0.0, 1.5, size=n_annotators)[:, None] * mid[None, :]
    return rng.uniform(size=weight.shape) < np.minimum(unsure * weight / weight.mean(), 0.5)


def _refuse_bad(parameters: Mapping[str, float]) -> None:
    """Refuse arguments out of range, all of them at once."""
    problems = []
    for name, value in parameters.items():
        whole = name.startswith("n_") or name == "seed"
        low = 4 if name in ("n_annotators", "n_prompts") else 0
        high = {"unsure": 0.5, "rounding": 1.0}.get(name, math.inf)
        if whole and not (isinstance(value, int) and value >= low):
            problems.append(f"{name} must be a whole number from {low} up, not {value!r}")
        if not whole and not (isinstance(value, int | float) and math.isfinite(value) and low <= value <= high):
            limit = f"from {low} to {high:g}" if math.isfinite(high) else "of 0 or more"
            problems.append(f"{name} must be a number {limit}, not {value!r}")
    if problems:
        raise PluristatsError(f"simulate_study: {'; '.join(problems)}")
