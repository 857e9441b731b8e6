"""What is worth looking at: one model of signals, and the dashboards, rules and runbook made from it.

A `Signal` is a question with an expression that answers it, its unit and its thresholds. All that is made of signals is a function
of a `Config`.

    http, database, runtime, machine, own    the signals, by what they are of; objectives of service levels (`slo`)
    promql                                   expressions that are right for both forms of histograms
    board, panels, boards                    dashboards
    alert, alerts, …_alerts                  alerts, and what to do about each (`runbook`)
    recording                                what is worked out in advance, because it is costly
    alertmanager, stack                      who is told, and what runs all of it
    config, options, commands                what users choose, and the commands that write
    files                                    what comes out
"""
