"""Keystone v3: logging in, tokens, application credentials."""

# each module adds its routes when it is imported
from hfstack.sandbox.keystone import credentials, tokens
from hfstack.sandbox.keystone.api import answer

__all__ = ["answer", "credentials", "tokens"]
