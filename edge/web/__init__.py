"""The page, the door sign, the API and the metrics: a running camera over HTTP.

Everything here runs in one thread beside the loop and reads the snapshot that the loop publishes (`hub`).
"""
