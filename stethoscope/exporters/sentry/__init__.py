"""Errors and transactions, told to Sentry by sentry-sdk.

switch     on or off; sentry-sdk is imported only where it is in use
client     the SDK's client: the app's, or one made here; what its events pass through before they leave
requests   the observer that says of each request what the SDK's own integrations do not know
scrubbing  what must not leave
"""
