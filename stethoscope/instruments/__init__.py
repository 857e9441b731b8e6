"""What else is measured besides requests. Every instrument is a caller of a recorder."""
