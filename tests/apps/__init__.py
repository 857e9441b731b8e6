"""Small apps, one module a framework, that tests serve with real servers."""
