"""Signed updates with rollback.

`package` is the signed file. `stage` installs it beside what runs. `activate` switches to it, watches it, and rolls
back. The layout, under /opt/maskcam, which install.sh created as a virtual environment:

    bin/maskcam             what the unit starts: the script of install.sh, or a link to a release's
    bin/maskcam-0.1.0       that script, kept from the first update on
    releases/0.2.0/         an environment per release
    bundles/2026.12.1/      a bundle per date
    bundle                  in an environment: a link to the bundle that replaces its own
    update.json             exists while an update is on trial
"""
