-- maintenance: answers 503 while a switch is on, but for who knows the bypass secret.
-- The switch is the configuration, or a key of the worker's store that other hooks set.
---@type pygw.Hook
local hook = {}

hook.config = {
  enabled = { type = "boolean", default = false,
    description = "Maintenance from the start; a reload changes it." },
  switch_key = { type = "string", default = "",
    description = "A key of gw.kv that other hooks set to switch it on; empty: none." },
  bypass_header = { type = "string", default = "X-Maintenance-Bypass", min = 1,
    description = "The field that carries the secret." },
  bypass_secret = { type = "string", default = "",
    description = "Who sends it is served all the same; empty: nobody is." },
  allow_paths = { type = "list", items = "string", max = 100,
    description = "Paths that are served all the same, as health checks are." },
  retry_after = { type = "integer", default = 300, min = 1, max = 604800,
    description = "Seconds, in Retry-After." },
  body = { type = "string", default = "down for maintenance\n", max = 65536,
    description = "What the client reads." },
  content_type = { type = "string", default = "text/plain; charset=utf-8", min = 1,
    description = "The body's type." },
}

local SECRET_MIN = 16
local on, switch_key, bypass_header, secret, body, fields
local allowed = {}

function hook.init(config)
  if not config.bypass_header:find("^[%w!#$%%&'*+.^_`|~-]+$") then
    error("config.bypass_header must be the name of a field", 0)
  end
  secret = config.bypass_secret
  if secret ~= "" and #secret < SECRET_MIN then
    error("config.bypass_secret must have at least " .. SECRET_MIN .. " characters, or none", 0)
  end
  if config.content_type:find("%c") then error("config.content_type has a control", 0) end
  for i, path in ipairs(config.allow_paths or {}) do
    if path:sub(1, 1) ~= "/" then
      error("config.allow_paths[" .. (i - 1) .. "] must begin with /", 0)
    end
    allowed[path] = true
  end
  on, switch_key, bypass_header = config.enabled, config.switch_key, config.bypass_header
  body = config.body
  fields = {
    ["Retry-After"] = tostring(config.retry_after),
    ["Cache-Control"] = "no-store",
    ["Content-Type"] = config.content_type,
  }
end

function hook.request(req)
  local given = req.header(bypass_header)
  if given then req.del_header(bypass_header) end -- the secret is not the service's
  if not on and (switch_key == "" or not gw.kv.get(switch_key)) then return end
  if given and secret ~= "" and gw.equal(given, secret) then return end
  if allowed[req.path] then return end
  gw.reply(503, fields, body)
end

return hook
