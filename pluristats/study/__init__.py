"""Data in: read, check, simulate and write studies (annotators × prompts × ratings)."""

from pluristats.study.load import load_study
from pluristats.study.record import Source, Truth
from pluristats.study.simulate import simulate_study
from pluristats.study.study import Study

__all__ = ["Source", "Study", "Truth", "load_study", "simulate_study"]
