"""gRPC over HTTP/2: calls, their messages, metadata, deadlines and statuses."""
