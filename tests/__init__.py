"""The tests, in folders by what they need; `unit/` has those of the package, room by room."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The project's folder."""
