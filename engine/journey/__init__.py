"""The journey language: read from text, compiled to a machine, decided one signal at a time. Pure."""
