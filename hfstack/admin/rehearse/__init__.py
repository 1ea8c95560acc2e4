"""`hfstack rehearse`: plays HostFactory against a site's own set-up, before HostFactory does.

`command` is the command line, `rehearsal` the order of the calls, `scripts` runs them, `output` reads what they print,
`checks` holds HostFactory's rules, `console` is what the administrator sees, `sandbox_site` a site to rehearse with.
"""
