"""Consent: what may be sent to whom, and the proof of it; pure."""
