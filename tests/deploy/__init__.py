"""The files in examples/deploy: valid, and doing what the page on them says."""
