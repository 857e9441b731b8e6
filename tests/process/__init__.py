"""Right across processes: real processes that fork, die and damage things, and what readers then see."""
