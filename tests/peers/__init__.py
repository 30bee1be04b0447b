"""Scripted peers: both ends of the wire, the gateway between them, and the judge of its bytes.

Read `wire` first (what a message is), then `client`, `origin`, `gateway`, and `lint`, which
looks at every byte that left the gateway after every test.
"""
