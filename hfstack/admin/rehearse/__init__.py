"""`hfstack rehearse`: plays HostFactory against a site's own set-up."""
