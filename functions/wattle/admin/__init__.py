"""What administrators do, and the record of it: `auditLog/{id}`."""
