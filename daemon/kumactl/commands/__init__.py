"""One module a command: its flags, what it asks the control plane, what it prints."""
