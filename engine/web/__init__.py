"""What comes in over HTTP: people who join from a browser or another WebRTC client."""

from __future__ import annotations

from engine.web.whip import WhipServer

__all__ = ["WhipServer"]
