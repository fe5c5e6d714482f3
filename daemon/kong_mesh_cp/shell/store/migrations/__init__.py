"""Numbered SQL: 0001_state.sql makes version 1, and so on. A released file never changes.

`peek` reads stores that have not been migrated yet, so a migration adds tables and columns; it
does not rename or drop what an earlier version has.
SQL stays within SQLite 3.34, the oldest that a supported distribution (RHEL 9) brings.
"""
