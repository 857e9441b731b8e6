"""What people and scrapers read over HTTP. Imported only where it is served: ``import stethoscope`` does not import it.

    endpoints    which paths are ours, and who may read them
    metrics      the metrics page
    board        the live page: its files (`assets`), its API (`api`), its events (`stream`)
    documents    what a snapshot says, in plain JSON types
    access, gate, session    tokens, access rules, signing in
    flight       one snapshot for all who ask at once
    responses, threads, listening    answering over ASGI without holding up the app

The commands `top` and `diagnose` show the same in a terminal (`source`, `shape`, `terminal`).
"""
