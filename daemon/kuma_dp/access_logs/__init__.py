"""Access logs of Envoy on their way to a collector over TCP."""
