"""Actions: one transaction script per file."""
