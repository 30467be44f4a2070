local typedefs = require "kong.db.schema.typedefs"

return {
  name = "error-bodies",
  fields = {
    { protocols = typedefs.protocols_http },
    { consumer = typedefs.no_consumer },
    { config = {
        type = "record",
        fields = {
          { realm = { type = "string", required = true } },
          { gotrue_prefix = { type = "string", required = true } },
          { error_prefixes = { type = "array", required = true, elements = { type = "string" } } },
          { errors = {
              type = "array",
              required = true,
              elements = {
                type = "record",
                fields = {
                  { status = { type = "integer", required = true, between = { 400, 599 } } },
                  { without_bearer = { type = "boolean", default = false } },
                  { title = { type = "string", required = true } },
                  { code = { type = "string", required = true } },
                  { message = { type = "string", required = true } },
                  { gotrue_code = { type = "string", required = true } },
                  { gotrue_message = { type = "string" } },
                },
              },
          } },
        },
    } },
  },
}
