"""TLS of the servers: which there are, and the certificates that they show."""
