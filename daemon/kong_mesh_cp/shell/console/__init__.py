"""The console: pages for browsers, which ask the HTTP API."""
