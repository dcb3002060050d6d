"""
One hardened HTTP client for every outgoing path of this package.

``challenges``    what a server asks for when it answers 401
``client``        requests, redirects, streams
``connections``   where a connection has really arrived
``errors``        a status or a broken connection, told as one of our errors
``json_bodies``   JSON from servers
``pace``          how slowly and how wordily a server may answer
``pools``         which connections are shared, and through which proxy they go
``rate_limits``   when a server lets us come back
``retries``       short ones, for what passes within seconds
``traffic``       how many requests something took
``trust``         authorities and our own certificate
``urls``          what may be shown of a URL, and what kind of host it names
``verify``        bytes on their way, hashed
"""
