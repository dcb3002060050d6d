"""
What a kOps cluster downloads, computed without kOps, without a cloud and without a network.

A list comes about in three steps. :mod:`cluster` reads the Cluster and its InstanceGroups as kOps'
state store has them. :mod:`catalog` holds, per kOps release, what that release lists under which
conditions, as data. :mod:`inventory` applies one to the other, and :mod:`remap` tells where the
cluster's nodes get each asset from. The engine knows no release and no version; a release that
changes a rule changes its catalogue.
"""
