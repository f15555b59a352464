"""What is missing on this machine, and the command that mends it.

A check is a function of the root of a file system, a runner of programs or plain values, so each can be shown a made-up
machine. None imports a package that may be broken, NumPy included, into the doctor's own process.
"""
