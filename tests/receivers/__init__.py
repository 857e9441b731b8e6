"""Real servers of other systems' protocols, in the process of the test: what exporters send to, well or ill."""
