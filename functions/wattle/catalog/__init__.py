"""What is sold: `products/{productId}`."""
