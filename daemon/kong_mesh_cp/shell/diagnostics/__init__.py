"""Health, readiness and metrics on 5680."""
