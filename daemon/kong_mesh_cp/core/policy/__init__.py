"""Policies: what each may say, whom it selects, how several become one."""
