-- Who calls, as the services may believe it (docs/spec/gateway.md).
--
-- The global instance runs in the rewrite phase, before any other plugin: it strips what clients say about themselves,
-- drops request ids that no service would take, so that correlation-id makes one, and hides tokens at which the jwt
-- plugin would fail with 500. The instance of a protected service runs right after jwt has verified the token: it checks
-- issuer and audience and names the user, if the token does.

local identity = require "kong.plugins.caller-identity.identity"
local json = require "cjson.safe"

local MAX_HEADERS = 1000 -- as many as Kong can be asked for
local decode = { base64 = ngx.decode_base64, json = json.decode }

local CallerIdentity = {
  PRIORITY = 1449, -- jwt has 1450
  VERSION = "1.0.0",
}


local function strip()
  local headers = kong.request.get_headers(MAX_HEADERS)
  local trusted = kong.ip.is_trusted(kong.client.get_ip())
  local count = 0
  for name in pairs(headers) do
    count = count + 1
    if identity.tells_who_calls(name) or (not trusted and identity.tells_where_from(name)) then
      kong.service.request.clear_header(name)
    end
  end
  if count >= MAX_HEADERS then
    return kong.response.exit(431, { message = "Too many headers" })
  end
  if trusted then
    -- Kong appends the balancer that called us; what clients wrote further left is gone.
    kong.service.request.set_header("X-Forwarded-For", kong.client.get_forwarded_ip())
  end
end


local function drop_an_unfit_id()
  if not identity.is_fit_id(kong.request.get_headers(MAX_HEADERS)["x-request-id"]) then
    kong.service.request.clear_header("X-Request-Id")
  end
end


local function hide_malformed_token()
  local authorization = kong.request.get_headers(MAX_HEADERS)["authorization"]
  if authorization == nil then
    return
  end
  local shared = kong.ctx.shared
  shared.presented_authorization = authorization
  shared.claims = identity.claims(authorization, decode)
  if shared.claims == nil then
    kong.service.request.clear_header("Authorization")
  end
end


-- A public service judges by itself what it was given.
local function restore_token()
  local shared = kong.ctx.shared
  if shared.presented_authorization ~= nil and shared.claims == nil then
    kong.service.request.set_headers({ Authorization = shared.presented_authorization })
  end
end


-- The jwt plugin looks for a key by its id, whoever's it is: a consumer stands for the issuer whose keys are its own.
local function issuer_of(claims, conf)
  local issuer = identity.issuer(claims, conf)
  local consumer = kong.client.get_consumer()
  return issuer and consumer and consumer.custom_id == issuer.name and issuer or nil
end


local function name_the_user(conf)
  local claims = kong.ctx.shared.claims
  local issuer = claims and issuer_of(claims, conf)
  if not issuer then
    return kong.response.exit(401, { message = "Invalid token" })
  end
  local user = identity.user(claims, issuer, ngx.sha1_bin)
  if user then
    kong.service.request.set_header("X-User-Id", user)
  elseif conf.needs_user ~= false or claims.sub ~= nil then
    return kong.response.exit(401, { message = "Invalid token" })
  end
  if type(claims.role) == "string" then
    kong.service.request.set_header("X-User-Role", claims.role)
  end
end


function CallerIdentity:rewrite()
  strip()
  drop_an_unfit_id()
  hide_malformed_token()
end


function CallerIdentity:access(conf)
  if conf.issuer then
    name_the_user(conf)
  else
    restore_token()
  end
end


return CallerIdentity
