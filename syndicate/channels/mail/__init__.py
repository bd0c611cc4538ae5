"""Mail: `message` writes it, the other files are ways to hand it over."""
