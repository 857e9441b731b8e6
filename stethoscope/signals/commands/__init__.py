"""The commands that write files: dashboards, rules, the runbook, Alertmanager's configuration, a stack to run them."""
