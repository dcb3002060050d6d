"""
One hardened HTTP client for every outgoing path of this package.

``client``   requests, redirects, streams, stall limits
``errors``   a status or a broken connection, told as one of our errors
``urls``     what may be shown of a URL, and which hosts are loopback
"""
