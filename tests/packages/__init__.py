"""What is handed out: the RPM, its SBOM, the bundle. They are made by `make bundle`."""
