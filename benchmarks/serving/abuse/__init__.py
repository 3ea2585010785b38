"""Malformed requests: what to send, how it is sent, and what came of it."""
