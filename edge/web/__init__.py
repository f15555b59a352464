"""The page, the door sign, the API and the metrics: what people and programs see of a running camera over HTTP.

Everything here runs in one thread beside the loop and reads the snapshot that the loop leaves behind (`hub`).
"""
