"""Requests that are kept one by one, to be followed from their arrival to their end."""
