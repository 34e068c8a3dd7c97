"""Data in: read, check, simulate and write studies (annotators × prompts × ratings)."""

from pluristats.study.check import CheckReport, check_study
from pluristats.study.factors import score_factors
from pluristats.study.fetch import fetch_release
from pluristats.study.load import load_study
from pluristats.study.open import open_study
from pluristats.study.record import Source, Truth
from pluristats.study.simulate import simulate_study
from pluristats.study.study import Study
from pluristats.study.write import write_study

__all__ = [
    "CheckReport",
    "Source",
    "Study",
    "Truth",
    "check_study",
    "fetch_release",
    "load_study",
    "open_study",
    "score_factors",
    "simulate_study",
    "write_study",
]
