-- What the gateway itself answers, in the shape clients of the services know. Answers of services pass unchanged.

local bodies = require "kong.plugins.error-bodies.bodies"
local json = require "cjson.safe"

local ErrorBodies = {
  PRIORITY = 10, -- after every plugin that sets a header or ends a request
  VERSION = "1.0.0",
}


-- correlation-id has not seen what nginx could not read.
local function request_id()
  local id = kong.response.get_header("X-Request-Id")
  if not id then
    id = kong.request.get_id()
    kong.response.set_header("X-Request-Id", id)
  end
  return id
end


local function shaped(conf, entry)
  local path, id = kong.request.get_path(), request_id()
  if path:sub(1, #conf.gotrue_prefix) ~= conf.gotrue_prefix then
    return bodies.problem(entry, id, path, conf.error_prefixes), "application/problem+json"
  end
  kong.response.set_header("X-Sb-Error-Code", entry.gotrue_code)
  local version = kong.request.get_header("X-Supabase-Api-Version")
  if version then
    kong.response.set_header("X-Supabase-Api-Version", version)
  end
  return bodies.gotrue(entry), "application/json"
end


function ErrorBodies:header_filter(conf)
  if kong.response.get_source() == "service" then
    return
  end
  -- caller-identity hides what the jwt plugin cannot read, and remembers it.
  local authorization = kong.ctx.shared.presented_authorization
  local entry = bodies.find(conf.errors, kong.response.get_status(), authorization)
  if not entry then
    return
  end

  local body, content_type = shaped(conf, entry)
  body = json.encode(body)
  kong.ctx.plugin.body = body
  kong.response.set_header("Content-Type", content_type)
  kong.response.set_header("Content-Length", #body)
  if entry.status == 401 then
    kong.response.set_header("WWW-Authenticate", 'Bearer realm="' .. conf.realm .. '"')
  elseif entry.status == 503 then
    kong.response.set_header("Retry-After", "1")
  end
end


-- Runs for every chunk; the first becomes the whole body.
function ErrorBodies:body_filter()
  local body = kong.ctx.plugin.body
  if body then
    kong.response.set_raw_body(body)
    kong.ctx.plugin.body = ""
  end
end


return ErrorBodies
