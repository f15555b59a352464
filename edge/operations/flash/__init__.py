"""Writes to a boot partition what makes a stock Raspberry Pi OS or Ubuntu card a mask camera on its first boot.

`target` opens a folder or an image, `release` identifies its system, `plan` collects the changes, writes them with
backups, and reads them back.
"""
