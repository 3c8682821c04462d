"""Alur: marketing automation whose source of truth is text."""
