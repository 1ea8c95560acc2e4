"""Decisions. Pure: no clock, no files, no network."""
