"""What the command line does beside `run`: license, config, reload."""
