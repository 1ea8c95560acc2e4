"""What takes several steps with effects: servers created, floating IPs attached, servers and records removed."""
