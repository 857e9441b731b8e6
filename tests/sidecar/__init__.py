"""The sidecar, as the process that users start."""
