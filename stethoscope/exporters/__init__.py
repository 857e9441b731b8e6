"""Exporters: functions of a snapshot. What is here renders; nothing here listens or sends."""
