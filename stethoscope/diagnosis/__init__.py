"""From what was measured to what to change: findings, told from a snapshot and its notes alone.

findings(snapshot, recorder.notes(names.FINDINGS_FOUND))
"""
