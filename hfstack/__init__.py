"""hfstack: an OpenStack host provider for IBM Spectrum Symphony HostFactory."""

__version__ = "0.1.0"
