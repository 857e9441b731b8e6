"""Recording in shared memory, and one merged view of it: producers hold a `recorder`, consumers a `snapshot`."""
