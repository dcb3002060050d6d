"""
One hardened HTTP client for every request that this package sends.

``address_checks``   refuse a connection that has arrived at a forbidden address
``challenges``       parse ``WWW-Authenticate`` of a 401
``client``           send requests, follow redirects, stream bodies
``errors``           translate a status or a broken connection into our exceptions
``hashing``          hash and verify bytes while they are transferred
``json_bodies``      parse JSON from servers
``pools``            share connections, and choose their proxy
``rate_limits``      read ``Retry-After`` and the quota that a server reports
``response_limits``  limit how slow a response may be, and how much of it may be no body
``retries``          retry failures that pass within seconds
``traffic``          count requests and bytes
``trust``            certificate authorities and client certificates
``urls``             redact URLs, and classify their hosts
"""
