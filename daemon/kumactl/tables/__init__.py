"""What is shown as a table: its columns, resources, insights."""
