"""The illnesses that Stethoscope finds in an app's use of its database and its event loop, each beside its cure.

    export SHOP_POSTGRESQL=postgresql://user@127.0.0.1:5432/a-database-to-play-with
    uvicorn examples.shop.illnesses.app:app &
    python -m examples.shop.illnesses.traffic http://127.0.0.1:8000
    stethoscope diagnose --service illnesses

Each route ``/ill/…`` has a sibling ``/cured/…`` that answers the same and differs in what the illness is about. Read them in pairs: what is
asked (`questions`), of which rows (`pages`), over which connections (`connections`), and while the event loop waits (`loops`).
"""
