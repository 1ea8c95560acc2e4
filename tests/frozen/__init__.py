"""The frozen programs and the scripts that call them (after `make freeze`)."""
