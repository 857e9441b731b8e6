"""Pushing metrics to real receivers, over sockets."""
