"""The description of this API for people and for programs: OpenAPI, and a page that shows it."""
