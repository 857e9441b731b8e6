"""The metrics API: which questions there are (`operations`), what they take (`parameters`), and how they are answered."""
