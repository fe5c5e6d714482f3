"""State and resources in PostgreSQL, which several control planes may share.

psycopg is imported here and nowhere else: it costs a quarter of a second and needs libpq. What
needs neither says so.
"""
