"""Every resource type of the API: what it may hold, how it is read, checked, written."""
