"""Database work, whatever library does it: statements, what requests do with them, and what is ill about that."""
