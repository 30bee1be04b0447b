-- The loops of test_codecs.py: M is the generated module.
local decode, encode = M.Request.decode, M.Request.encode

function time_decode(data, rounds)
  for _ = 1, rounds do decode(data) end
end

function time_encode(data, rounds)
  local m = decode(data)
  for _ = 1, rounds do encode(m) end
end

function time_both(data, rounds)
  for _ = 1, rounds do encode(decode(data)) end
end
