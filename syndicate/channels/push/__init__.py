"""Pushes to partners' endpoints, one file a kind."""
