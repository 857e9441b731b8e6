"""What people and scrapers read over HTTP. Imported only by who serves it: ``import stethoscope`` does not."""
