"""Everybody whom the harness plays, at work behind real sockets, and what one collection has come to."""
