"""Proof that a wrapped app and its server see what they would see without us."""
