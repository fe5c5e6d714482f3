"""Seats: who asks, who gets one, what is recorded of it."""
