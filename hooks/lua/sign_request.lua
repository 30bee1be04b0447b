-- sign_request: signs requests to a service with HMAC-SHA256, so that it knows who sent them.
-- docs/ready-made.md has the text that is signed and how a service checks it.
---@type pygw.Hook
local hook = {}

hook.config = {
  key_id = { type = "string", required = true, min = 1, max = 128,
    description = "Names the key, so that a service can know two while one is replaced." },
  key = { type = "string", required = true, min = 32, max = 1024,
    description = "The secret, at least 32 characters." },
  header = { type = "string", default = "X-Signature", min = 1,
    description = "The field that carries the signature." },
  date_header = { type = "string", default = "Date", min = 1,
    description = "The field that carries the time of the signature." },
}

local DAYS = { "Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed" } -- 1970 began on a Thursday
local MONTHS = { "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov",
  "Dec" }
local UNSIGNED = "unsigned"
local DIGEST_VAR = "sign_request.digest"

local floor, format = math.floor, string.format
local key, prefix, header, date_header
local date_second, date_text

local function need_field(name, value)
  if not value:find("^[%w!#$%%&'*+.^_`|~-]+$") then
    error("config." .. name .. " must be the name of a field", 0)
  end
  return value
end

function hook.init(config)
  if not config.key_id:find("^[%w._:/-]+$") then
    error("config.key_id must be of letters, digits and . _ : / -", 0)
  end
  header = need_field("header", config.header)
  date_header = need_field("date_header", config.date_header)
  if header:lower() == date_header:lower() then
    error("config.date_header must be another field than header", 0)
  end
  key = config.key
  prefix = 'keyId="' .. config.key_id .. '",algorithm="hmac-sha256",signature="'
end

-- Year, month and day of a day since 1970 (proleptic Gregorian; years begin in March).
local function civil(days)
  local z = days + 719468
  local era = floor(z / 146097)
  local doe = z - era * 146097
  local yoe = floor((doe - floor(doe / 1460) + floor(doe / 36524) - floor(doe / 146096)) / 365)
  local doy = doe - (365 * yoe + floor(yoe / 4) - floor(yoe / 100))
  local mp = floor((5 * doy + 2) / 153)
  local month = mp < 10 and mp + 3 or mp - 9
  return yoe + era * 400 + (month <= 2 and 1 or 0), month, doy - floor((153 * mp + 2) / 5) + 1
end

-- The time as in RFC 9110 section 5.6.7, written once a second.
local function date()
  local second = floor(gw.now())
  if second ~= date_second then
    local days = floor(second / 86400)
    local year, month, day = civil(days)
    local rest = second % 86400
    date_text = format("%s, %02d %s %04d %02d:%02d:%02d GMT", DAYS[days % 7 + 1], day,
      MONTHS[month], year, floor(rest / 3600), floor(rest / 60) % 60, rest % 60)
    date_second = second
  end
  return date_text
end

-- Only where the entry holds bodies: `body: buffered`. RFC 9530 has the field.
function hook.request_body(req)
  local digest = "sha-256=:" .. gw.base64.encode(gw.sha256(req.body or "")) .. ":"
  req.set_header("Content-Digest", digest)
  gw.var[DIGEST_VAR] = digest
end

-- Each attempt is signed anew, when nothing changes the request any more.
function hook.attempt(req)
  local now = date()
  local text = req.method .. "\n" .. req.path .. "\n" .. req.query .. "\n" .. now .. "\n" ..
    (gw.var[DIGEST_VAR] or UNSIGNED)
  req.set_header(date_header, now)
  req.set_header(header, prefix .. gw.base64.encode(gw.hmac(key, text)) .. '"')
end

return hook
