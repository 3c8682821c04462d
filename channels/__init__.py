"""The code that talks to providers, one file per adapter; it never imports the engine."""
