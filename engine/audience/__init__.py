"""Conditions over contacts, events and segments: read from text, compiled to SQL, told in a sentence."""
