"""One folder per outside thing; none imports another, but `http` and `host` lie beneath."""
