"""Networks that map behaviour to latents: trained on simulated agents, calibrated, kept without pickle.

settings ─ net, loss ─ train (calibrate) ─► Estimator ─ infer ─► Latents; store
"""

from pluristats.latent.estimator.estimator import Estimator
from pluristats.latent.estimator.infer import infer
from pluristats.latent.estimator.latents import Latents
from pluristats.latent.estimator.settings import PUBLISHED, PUBLISHED_TUNED, Settings
from pluristats.latent.estimator.store import load, save
from pluristats.latent.estimator.train import train

__all__ = ["PUBLISHED", "PUBLISHED_TUNED", "Estimator", "Latents", "Settings", "infer", "load", "save", "train"]
