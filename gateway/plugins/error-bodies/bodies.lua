-- Which error to tell, and how. Plain Lua: no Kong, no ngx.

local bodies = {}


local function has_bearer(authorization)
  return type(authorization) == "string" and authorization:lower():sub(1, 7) == "bearer "
end


-- The first entry that fits; nil when the answer shall stay as it is.
function bodies.find(errors, status, authorization)
  for _, entry in ipairs(errors) do
    if entry.status == status and not (entry.without_bearer and has_bearer(authorization)) then
      return entry
    end
  end
  return nil
end


-- docs/spec/auth-protocol.md 3: old and new clients read different keys.
function bodies.gotrue(entry)
  local message = entry.gotrue_message or entry.message
  return { code = entry.gotrue_code, error_code = entry.gotrue_code, message = message, msg = message }
end


local function begins_with_one_of(path, prefixes)
  for _, prefix in ipairs(prefixes) do
    if path:sub(1, #prefix) == prefix then
      return true
    end
  end
  return false
end


-- docs/spec/domain.md 9.1. Below some addresses the existing web client reads the sentence as `error`.
function bodies.problem(entry, request_id, path, error_prefixes)
  return {
    type = "urn:cas:problem:" .. entry.code,
    title = entry.title,
    status = entry.status,
    detail = entry.message,
    message = entry.message,
    error = begins_with_one_of(path, error_prefixes) and entry.message or nil,
    code = entry.code,
    request_id = request_id,
  }
end


return bodies
