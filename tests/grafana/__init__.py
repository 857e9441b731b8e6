"""Dashboards, rules and alerts, executed."""
