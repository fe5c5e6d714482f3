"""Command lines of all programs: what a word was meant to be, what may be typed next."""
