"""Native histograms and exemplars, as a real Prometheus takes and answers them."""
