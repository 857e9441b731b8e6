"""What is worth looking at: one model of signals, and the dashboards, rules and runbook made from it.

A `Signal` is a question with an expression that answers it, its unit and its thresholds. `boards` arrange
signals in dashboards, `alerts` watch them, `recording` keeps the dear ones, `runbook` says what to do. All are
functions of a `Config`, and `files` names what comes out.
"""
