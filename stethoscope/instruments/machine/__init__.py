"""What a process and its machine use, and what they may use at most."""
