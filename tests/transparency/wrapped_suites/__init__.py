"""Test suites of other projects, run with every app of theirs wrapped."""
