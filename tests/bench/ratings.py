"""What the order of trials does to ratings: order effects, models, nulls, checks, traits, and recovery when planted.

    python -m tests.bench.ratings [--data PATH] [--null N] [--skip-recovery]

Without a path a simulated study, whose order does nothing, is used. Every figure on drift in the documentation comes
from here.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from dataclasses import replace

import pandas as pd

import pluristats as ps
from pluristats.errors import PluristatsWarning
from pluristats.latent.metrics import balanced_accuracy, coverage, mean_rmse
from pluristats.latent.ratings import (
    RATING_MODELS,
    RatingFit,
    fit_ratings,
    in_order,
    infer_ratings,
    order_effects,
    plant,
)
from pluristats.study import Study

Z90 = 1.6448536269514722


def show(title: str, table: pd.DataFrame) -> None:
    """Print a table."""
    print(f"\n## {title}\n\n{table.to_string(index=False, float_format=lambda v: f'{v:.4g}')}", flush=True)


def findings(study: Study, n_null: int) -> None:
    """What the study's own ratings say."""
    began = time.perf_counter()
    order = in_order(study)
    print(order, f"{time.perf_counter() - began:.1f} s")
    show("Order effects", order_effects(order).tidy())
    began = time.perf_counter()
    fit = fit_ratings(order)
    print(f"\nAll models fitted in {time.perf_counter() - began:.1f} s")
    show("Models, summed over annotators", fit.comparison.pooled())
    for model in fit.comparison.fits:
        show(f"Posterior predictive check of {model}", fit.check(200, model=model).tidy().drop(columns=["model", "n"]))
    nulls(fit, n_null)
    show("Traits, least adjusted p first", fit.associations(study).sort_values("p_value").head(12))


def nulls(fit: RatingFit, n: int) -> None:
    """Gains over the static model against people who do not change."""
    for model in RATING_MODELS:
        of_model = replace(fit, model=model)
        for kind in ("permuted", "simulated"):
            null = of_model.simulated_null(n, kind=kind)  # type: ignore[arg-type]
            table = null.tidy()
            show(f"Gain of {model.name}, {kind} null", null.pooled())
            clear = table[table["p_adjusted"] < 0.05].sort_values("gain", ascending=False)
            print(f"{len(clear)} of {len(table)} annotators at a false discovery rate of 5 %:", [*clear["annotator"]])


def recovery(study: Study) -> None:
    """Drift planted in the study, and agents of each model by itself."""
    planted = plant(study, seed=1)
    fit = fit_ratings(planted.study)
    rows = planted.recovery(fit)
    inside = rows["true"].between(rows["conf_low"], rows["conf_high"])
    lines = [
        {"parameter": name, "r": g["true"].corr(g["estimate"]), "coverage_90": g["inside"].mean()}
        for name, g in rows.assign(inside=inside).groupby("parameter", sort=False)
    ]
    show("Parameters of drift planted in the study", pd.DataFrame(lines))
    latents = planted.latents(fit)
    later = latents[latents["trial"] > 0]
    held = later["true"].between(later["conf_low"], later["conf_high"]).mean()
    print(f"shift: r {later['true'].corr(later['shift']):.3f}, 90 % intervals hold {held:.3f}")
    print(f"gain over static against 19 simulated nulls: {fit.simulated_null(19).pooled().to_dict('records')}")
    lines = []
    for model in RATING_MODELS:
        made = model.simulate(n_agents=300, seed=7)
        for what, parameters in (("true parameters", made.parameters), ("fitted", None)):
            found = infer_ratings(model, made.trials, parameters)
            line = {"model": model.name, "parameters": what}
            if model.continuous_names:
                x, m, s = made.continuous[:, 1:, 0], found.continuous[:, 1:, 0], found.continuous_sd[:, 1:, 0]
                line |= {"rmse": mean_rmse(x, m), "sd": x.std(), "coverage_90": coverage(x, m - Z90 * s, m + Z90 * s)}
            else:
                line |= {"balanced_accuracy": balanced_accuracy(made.discrete[:, :, 0], found.states[:, :, 0])}
            lines.append(line)
    show("300 agents a model, 150 trials", pd.DataFrame(lines))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data")
    parser.add_argument("--null", type=int, default=19)
    parser.add_argument("--skip-recovery", action="store_true")
    given = parser.parse_args(sys.argv[1:])
    warnings.simplefilter("ignore", PluristatsWarning)
    data = ps.simulate_study() if given.data is None else ps.load_study(given.data)
    findings(data, given.null)
    if not given.skip_recovery:
        recovery(data)
