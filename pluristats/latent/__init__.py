"""Latent variable sequences: what changes inside an agent over trials, simulated and inferred."""
