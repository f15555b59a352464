"""Updates that a device can trust and take back.

`package` is what travels: one signed file. `place` puts it beside what runs. `switch` makes it run, watches, and
takes it back. The layout, under /opt/maskcam, which install.sh made as an environment of its own:

    bin/maskcam             what the unit starts: the script of install.sh, or a link to a release's
    bin/maskcam-0.1.0       that script, kept from the first update on
    releases/0.2.0/         an environment per release
    bundles/2026.12.1/      a bundle per date
    bundle                  in an environment: a link to the bundle that replaces its own
    update.json             stands while an update is on trial
"""
