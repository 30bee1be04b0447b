"""Tests of `pygw gen`: every language against the runtime of Protocol Buffers."""
