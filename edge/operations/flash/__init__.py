"""Writes a boot partition: what a stock Raspberry Pi OS or Ubuntu card needs to become a mask camera by itself.

`target` opens a folder or an image, `release` says what system it holds, `plan` collects what will change,
`apply` writes it, with backups, and reads it back.
"""
