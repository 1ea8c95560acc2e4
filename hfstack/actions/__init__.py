"""Steps with effects: create servers, attach floating IPs, delete servers, remove old records."""
