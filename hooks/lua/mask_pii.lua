-- mask_pii: masks personal data in JSON bodies: fields by their paths, and what looks like a card
-- number, an IBAN, an e-mail address or a phone number. docs/ready-made.md has the table.
---@type pygw.Hook
local hook = {}

hook.config = {
  fields = { type = "list", items = "string", max = 100,
    description = "Paths of members to mask: names with dots between; * any one, ** any number." },
  patterns = { type = "list", items = "string", max = 4,
    description = "What is masked wherever it stands: card, email, iban, phone." },
  mask = { type = "string", default = "***", max = 64,
    description = "What stands in the place of what is masked." },
  keep_last = { type = "integer", default = 0, min = 0, max = 4,
    description = "How many characters at the end of a card number, IBAN or phone number stay." },
  unreadable = { type = "string", default = "refuse", enum = { "refuse", "pass" },
    description = "What becomes of JSON that is compressed, in parts or malformed." },
  other = { type = "string", default = "pass", enum = { "pass", "refuse" },
    description = "What becomes of bodies of other media types." },
}

local DEPTH_MAX, SEGMENTS_MAX = 64, 16
local REFUSED_VAR = "mask_pii.refused"
local VOUCHERS = { "Content-Digest", "Content-MD5", "Digest", "Repr-Digest" }
local byte, sub, find, match, char = string.byte, string.sub, string.find, string.match, string.char
local decode, encode = gw.json.decode, gw.json.encode
local huge = math.huge

local paths, finders = {}, {}
local cards, mask, quoted_mask, keep, unreadable, other

-- --- what personal data looks like ---------------------------------------------------------------
-- A finder gives the first and last place of what it knows, from a place on, and what of it stays.

local DIGIT, ALNUM, LOCAL, DOMAIN = {}, {}, {}, {}
for c = 0, 255 do
  local one = char(c)
  DIGIT[c] = one:find("%d") ~= nil
  ALNUM[c] = one:find("%w") ~= nil
  LOCAL[c] = c > 127 or one:find("[%w.!#$%%&'*+/=?^_`{|}~-]") ~= nil
  DOMAIN[c] = c > 127 or one:find("[%w.-]") ~= nil
end

local function tail_of(text)
  if keep == 0 then return "" end
  return sub(text:gsub("%W", ""), -keep)
end

local function find_email(s, from)
  local at = find(s, "@", from, true)
  while at do
    local first, last = at, at
    while first > from and LOCAL[byte(s, first - 1)] do first = first - 1 end
    while DOMAIN[byte(s, last + 1)] do last = last + 1 end
    while last > at and not ALNUM[byte(s, last)] and byte(s, last) < 128 do last = last - 1 end
    if first < at and find(sub(s, at + 2, last), ".", 1, true) then return first, last, "" end
    at = find(s, "@", last + 1, true)
  end
end

-- ISO/IEC 7812-1 appendix B. `text` has digits, and blanks or hyphens between.
local function is_card(text, count)
  local sum, place = 0, count
  for i = 1, #text do
    local digit = byte(text, i) - 48
    if digit >= 0 then
      if place % 2 == 0 then digit = digit * 2 end
      sum, place = sum + (digit > 9 and digit - 9 or digit), place - 1
    end
  end
  return sum % 10 == 0
end

local CARD_BEGINS = { [50] = true, [51] = true, [52] = true, [53] = true, [54] = true,
  [56] = true }

-- The longest run of whole groups from `first` on that is a card's number.
local function card_end(s, first)
  local at, count, best = first, 0, nil
  while true do
    while DIGIT[byte(s, at)] do at, count = at + 1, count + 1 end
    if count > 19 then return best end
    if count >= 13 and is_card(sub(s, first, at - 1), count) then best = at - 1 end
    local c = byte(s, at)
    if c ~= 32 and c ~= 45 or not DIGIT[byte(s, at + 1)] then return best end
    at = at + 1
  end
end

local function find_card(s, from)
  local first = find(s, "%d", from)
  while first do
    local last = CARD_BEGINS[byte(s, first)] and card_end(s, first)
    if last then return first, last, tail_of(sub(s, first, last)) end
    local at = first
    while DIGIT[byte(s, at)] do at = at + 1 end
    first = find(s, "%d", at)
  end
end

-- ISO 7064 MOD 97-10 over the rest and then the first four characters.
local function is_iban(text)
  local rest = 0
  local turned = sub(text, 5) .. sub(text, 1, 4)
  for i = 1, #turned do
    local c = byte(turned, i)
    if c < 58 then
      rest = (rest * 10 + c - 48) % 97
    else
      rest = (rest * 100 + c - 55) % 97
    end
  end
  return rest == 1
end

local function iban_end(s, first)
  local text, at, best = "", first, nil
  while #text <= 34 do
    local start = at
    while ALNUM[byte(s, at)] do at = at + 1 end
    text = text .. sub(s, start, at - 1):upper()
    if #text >= 15 and #text <= 34 and is_iban(text) then best = at - 1 end
    local c = byte(s, at)
    if c ~= 32 and c ~= 45 or not ALNUM[byte(s, at + 1)] then break end
    at = at + 1
  end
  return best
end

local function find_iban(s, from)
  local first = find(s, "%a%a%d%d", from)
  while first do
    local last = not ALNUM[byte(s, first - 1)] and iban_end(s, first)
    if last then return first, last, tail_of(sub(s, first, last)) end
    first = find(s, "%a%a%d%d", first + 1)
  end
end

local BETWEEN = { [32] = true, [40] = true, [41] = true, [45] = true, [46] = true, [47] = true }

-- A number as it is dialled from abroad (ITU-T E.164): 8 to 15 digits behind + or 00.
local function find_phone(s, from)
  local first, last = find(s, "[+0]0?[ (]?[1-9]", from)
  while first do
    local lead, before = byte(s, first), byte(s, first - 1)
    if (lead == 43 or byte(s, first + 1) == 48) and not ALNUM[before] then
      local at, count, stop, gap = last, 0, last, 0
      while count < 16 and gap < 4 do
        local c = byte(s, at)
        if DIGIT[c] then
          count, stop, gap = count + 1, at, 0
        elseif BETWEEN[c] then
          gap = gap + 1
        else
          break
        end
        at = at + 1
      end
      if count >= 8 and count <= 15 then return first, stop, tail_of(sub(s, first, stop)) end
    end
    first, last = find(s, "[+0]0?[ (]?[1-9]", first + 1)
  end
end

local FINDERS = { { "email", find_email }, { "iban", find_iban }, { "card", find_card },
  { "phone", find_phone } }

local function masked_by(finder, s)
  local first, last, tail = finder(s, 1)
  if not first then return s end
  local out, n, from = {}, 0, 1
  while first do
    out[n + 1], out[n + 2], out[n + 3], n = sub(s, from, first - 1), mask, tail, n + 3
    from = last + 1
    first, last, tail = finder(s, from)
  end
  out[n + 1] = sub(s, from)
  return table.concat(out)
end

-- --- JSON, whose text stays but for what is masked -----------------------------------------------
-- `paths` that lead on from an object are {segments, place} in `states`.

local NONE = {}
local body, out, out_n, copied, backslash

local function bad(what) error({ what = what }, 0) end

local function put(text, first, last)
  out[out_n + 1], out[out_n + 2], out_n = sub(body, copied, first - 1), text, out_n + 2
  copied = last + 1
end

local BLANK = { [32] = true, [9] = true, [10] = true, [13] = true }

local function blank(at)
  local c = byte(body, at)
  while BLANK[c] do
    at = at + 1
    c = byte(body, at)
  end
  return at, c
end

-- Behind an opening quote: where the closing one is, and the text.
local function read_string(at)
  local stop = find(body, '"', at, true) or bad("unfinished string")
  if backslash < at then backslash = find(body, "\\", at, true) or huge end
  if backslash > stop then return stop, sub(body, at, stop - 1) end
  while backslash < stop do
    local after = backslash + 2
    backslash = find(body, "\\", after, true) or huge
    if after > stop then stop = find(body, '"', after, true) or bad("unfinished string") end
  end
  return stop, decode(sub(body, at - 1, stop)) or bad("malformed string")
end

local function scan_string(at, hidden)
  local stop, text = read_string(at + 1)
  if hidden then
    put(quoted_mask, at, stop)
    return stop + 1
  end
  if #finders == 0 or not find(text, "[%d@]") then return stop + 1 end
  local changed = text
  for i = 1, #finders do changed = masked_by(finders[i], changed) end
  if changed ~= text then put(encode(changed), at, stop) end
  return stop + 1
end

local LITERALS = { [116] = "true", [102] = "false", [110] = "null" }

local function scan_scalar(at, c, hidden)
  local token = LITERALS[c]
  if token then
    if sub(body, at, at + #token - 1) ~= token then bad("malformed value") end
    if hidden and c ~= 110 then put(quoted_mask, at, at + #token - 1) end
    return at + #token
  end
  token = match(body, "^[%d.eE+-]+", at)
  if not token then bad("malformed value") end
  if not find(token, "^-?[1-9]%d*$") and not find(token, "^-?[1-9]%d*%.%d+$")
      and not decode(token) then
    bad("malformed value")
  end
  if hidden then
    put(quoted_mask, at, at + #token - 1)
  elseif cards and #token >= 13 and not find(token, "%D") and find_card(token, 1) == 1
      and card_end(token, 1) == #token then
    put(encode(mask .. tail_of(token)), at, at + #token - 1)
  end
  return at + #token
end

-- The states behind a member of this name, and whether a path ends there.
local function follow(states, name)
  local behind = NONE
  for i = 1, #states do
    local state = states[i]
    local path, place = state[1], state[2]
    if path[place] == "**" then
      if behind == NONE then behind = {} end
      behind[#behind + 1] = state
      place = place + 1
    end
    if path[place] == "*" or path[place] == name then
      if path[place + 1] == nil then return NONE, true end
      if behind == NONE then behind = {} end
      behind[#behind + 1] = { path, place + 1 }
    end
  end
  return behind, false
end

local scan_value

local function scan_object(at, depth, states, hidden)
  local c
  at, c = blank(at + 1)
  if c == 125 then return at + 1 end
  while true do
    if c ~= 34 then bad("a member without a name") end
    local stop, name = read_string(at + 1)
    at, c = blank(stop + 1)
    if c ~= 58 then bad("a name without a value") end
    local inner, inner_hidden = states, hidden
    if not hidden and #states > 0 then inner, inner_hidden = follow(states, name) end
    at = scan_value(at + 1, depth, inner, inner_hidden)
    at, c = blank(at)
    if c == 125 then return at + 1 end
    if c ~= 44 then bad("an unfinished object") end
    at, c = blank(at + 1)
  end
end

local function scan_array(at, depth, states, hidden)
  local c
  at, c = blank(at + 1)
  if c == 93 then return at + 1 end
  while true do
    at, c = blank(scan_value(at, depth, states, hidden))
    if c == 93 then return at + 1 end
    if c ~= 44 then bad("an unfinished list") end
    at = at + 1
  end
end

scan_value = function(at, depth, states, hidden)
  if depth > DEPTH_MAX then bad("nested deeper than " .. DEPTH_MAX) end
  local c
  at, c = blank(at)
  if c == 34 then return scan_string(at, hidden) end
  if c == 123 then return scan_object(at, depth + 1, states, hidden) end
  if c == 91 then return scan_array(at, depth + 1, states, hidden) end
  return scan_scalar(at, c, hidden)
end

local function scan(text)
  body, out, out_n, copied, backslash = text, {}, 0, 1, 0
  local at = blank(scan_value(1, 0, paths, false))
  if at <= #text then bad("more text behind the value") end
  if out_n == 0 then return text end
  out[out_n + 1] = sub(text, copied)
  return table.concat(out)
end

-- The text with its masks, or nil and what is wrong.
local function masked(text)
  local ok, value = pcall(scan, text)
  body, out = nil, nil
  if ok then return value end
  if type(value) == "table" and value.what then return nil, value.what end
  error(value, 0)
end

-- --- messages ------------------------------------------------------------------------------------

local function is_json(message)
  local media = message.header("content-type")
  media = media and media:match("^%s*([^;%s]+)")
  media = media and media:lower() or ""
  return media == "application/json" or media == "text/json" or media:find("%+json$") ~= nil
end

local function is_encoded(message)
  for _, field in ipairs(message.headers("content-encoding")) do
    for coding in field[2]:gmatch("[^,%s]+") do
      if coding:lower() ~= "identity" then return true end
    end
  end
  return false
end

-- The body to send, nil: as it came, or nil and the status of a refusal and its reason.
local function judged(message, text, part)
  if not is_json(message) then
    if other == "pass" then return end
    return nil, 415, "it is no JSON"
  end
  local new, why
  if is_encoded(message) then
    why = "it is compressed"
  elseif part then
    why = "it is a part"
  else
    new, why = masked(text)
  end
  if new then return new end
  gw.log("warning", "a body could not be searched: " .. why)
  if unreadable == "pass" then return end
  return nil, why == "it is compressed" and 415 or 400, why
end

local REFUSAL = { ["Cache-Control"] = "no-store" }

function hook.request(req)
  req.set_header("Accept-Encoding", "identity")
  req.del_header("Range")
  req.del_header("If-Range")
end

function hook.request_body(req)
  local text = req.body
  if not text or text == "" then return end
  local new, status, why = judged(req, text, false)
  if status then
    gw.var[REFUSED_VAR] = "yes" -- the refusal passes the functions below
    gw.reply(status, REFUSAL, "the body cannot be accepted: " .. why .. "\n")
  elseif new and new ~= text then
    for i = 1, #VOUCHERS do req.del_header(VOUCHERS[i]) end
    req.body = new
  end
end

-- Also of answers that come without their body: they are told as if it came.
function hook.response(req, resp)
  local status = resp.status
  if gw.var[REFUSED_VAR] or status ~= 304 and not is_json(resp) then return end
  local tag = resp.header("etag")
  if tag and tag:find('^"') then resp.set_header("ETag", "W/" .. tag) end
  resp.del_header("Accept-Ranges")
  for i = 1, #VOUCHERS do resp.del_header(VOUCHERS[i]) end
  if status == 304 or req.method == "HEAD" then resp.del_header("Content-Length") end
end

function hook.response_body(_, resp)
  local text = resp.body
  if not text or text == "" or gw.var[REFUSED_VAR] then return end
  local new, status = judged(resp, text, resp.status == 206)
  if status then
    gw.reply(502, REFUSAL, "the service's answer cannot be used\n")
  elseif new and new ~= text then
    resp.body = new
  end
end

-- --- configuration -------------------------------------------------------------------------------

local function wrong(key, what)
  error("config." .. key .. " " .. what, 0)
end

local function path_of(key, text)
  local path, deep = {}, 0
  for segment in (text .. "."):gmatch("([^.]*)%.") do
    if segment == "" then wrong(key, "must be names with one dot between, such as user.email") end
    path[#path + 1] = segment
    if segment == "**" then deep = deep + 1 end
  end
  if #path > SEGMENTS_MAX then wrong(key, "has more than " .. SEGMENTS_MAX .. " names") end
  if deep > 1 or path[#path] == "**" then
    wrong(key, "may have ** once, and a name behind it")
  end
  return path
end

function hook.init(config)
  mask, keep, unreadable, other = config.mask, config.keep_last, config.unreadable, config.other
  quoted_mask = encode(mask)
  for i, text in ipairs(config.fields or {}) do
    paths[i] = { path_of("fields[" .. (i - 1) .. "]", text), 1 }
  end
  local wanted = {}
  for _, name in ipairs(config.patterns or {}) do wanted[name] = true end
  for _, one in ipairs(FINDERS) do
    if wanted[one[1]] then finders[#finders + 1] = one[2] end
    wanted[one[1]], cards = nil, cards or one[1] == "card" and wanted.card
  end
  if next(wanted) then
    wrong("patterns", "has " .. next(wanted) .. ": known are card, email, iban, phone")
  end
  if #paths == 0 and #finders == 0 then
    error("config has nothing to do: fields and patterns are empty", 0)
  end
end

return hook
