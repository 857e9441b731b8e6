"""What runs on every request: measuring it, its correlation ID, its headers, the name of its route."""
