from setuptools import setup

setup()  # every fact about the package stands in pyproject.toml
