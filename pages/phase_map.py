"""Phase map."""
