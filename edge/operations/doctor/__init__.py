"""Checks this machine, and names the command that repairs what is wrong.

A check is a function of the root of a file system, a runner of programs or plain values, so it can be tested on a
simulated machine. None imports a package that may be broken, NumPy included, into the doctor's own process.
"""
