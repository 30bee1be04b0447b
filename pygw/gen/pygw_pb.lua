-- The wire of Protocol Buffers for LuaJIT: what all modules written by `pygw gen lua` share.
-- Owns: the names that those modules use.
-- Never does: know a message; its own module does.
-- Read next: pygw_pb_bounds.lua; proto/README.md, "Protocol Buffers for LuaJIT".
local P = require("pygw_pb_bounds")
P.read, P.write = require("pygw_pb_read"), require("pygw_pb_write")
P.decoder, P.encoder = P.read.decoder, P.write.encoder
return P
