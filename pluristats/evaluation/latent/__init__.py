"""Latent factors over annotators and prompts: response ─ amounts ─ factors."""
