"""For tests of an app: what it may ask its database for, as a mark of pytest."""
