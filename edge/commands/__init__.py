"""The commands of `maskcam`, a module each: `add(commands)` describes it, `run(args)` does it.

Heavy packages are imported inside `run`, so `--help` is quick.
"""
