"""HTTP, once for every route: envelope, routing, validation, authentication, pagination, field selection, headers."""
