"""Orders: `orders/{orderId}` and their events, `orders/{orderId}/events/{n}`."""
