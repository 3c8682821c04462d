"""The HTTP edge: events come in, customers answer, machines ask whether we live."""

from engine.web.site import create_web

__all__ = ["create_web"]
