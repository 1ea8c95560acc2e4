"""The files that a site writes: settings and templates."""
