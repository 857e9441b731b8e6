"""Stethoscope beside what users take instead, measured within one run."""
