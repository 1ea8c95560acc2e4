"""What HostFactory sees, told once and run against {sandbox, real OpenStack} x {source, frozen}."""
